/** Where the racks of the end-to-end cases lie: buckets of the gateway and directories, both in memory, and directories on the disk for what no memory holds. */
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { credentialsOf, type Gateway } from '../harness/gateway.ts';
import type { Workspace } from '../harness/workspace.ts';
import { cleanEnvironment } from '../transfer/client.ts';
import { rackNames } from './end-to-end-racks.ts';

export const placeKinds = ['s3', 'posix', 'disk'] as const;
export type PlaceKind = (typeof placeKinds)[number];

export interface Place {
  readonly kind: PlaceKind;
  readonly url: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Where all of it lies in the end. */
  readonly directory: string;
  /** Its racks are empty afterwards. */
  clear(): Promise<void>;
}

const DISK = resolve('.penstock');

/** Its racks are there, and empty. */
export async function openPlace(kind: PlaceKind, gateway: Gateway, workspace: Workspace): Promise<Place> {
  const roots = { s3: () => gateway.root, posix: () => join(dirname(gateway.root), 'racks'), disk: () => workspace.directory(DISK) };
  const directory = await roots[kind]();
  const clear = async (): Promise<void> => {
    for (const name of rackNames) {
      await rm(join(directory, name), { recursive: true, force: true });
      await mkdir(join(directory, name), { recursive: true });
    }
  };
  await clear();
  if (kind === 's3') return { kind, url: gateway.endpoint, environment: { ...cleanEnvironment(), ...credentialsOf(gateway) }, directory, clear };
  return { kind, url: `file://${directory}`, environment: cleanEnvironment(), directory, clear };
}
