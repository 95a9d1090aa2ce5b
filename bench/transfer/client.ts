/** Whoever moves data: us, or a peer by its command line. */
import type { Command } from '../../dev/site/child.ts';
import type { Gateway } from '../harness/gateway.ts';
import type { Operation, Storage } from './cases.ts';
import type { Workload } from './workload.ts';

export interface Client {
  readonly name: string;
  /** Undefined where it has no such operation. */
  command(task: Task): Command | undefined;
  /** For the report. */
  flags(operation: Operation, workload: Workload): readonly string[];
}

export interface Task {
  readonly operation: Operation;
  readonly workload: Workload;
  readonly source: Place;
  readonly target: Place;
}

export type Place = { readonly kind: 'directory'; readonly path: string } | ObjectPlace;
export interface ObjectPlace {
  readonly kind: 'objects';
  readonly gateway: Gateway;
  readonly bucket: string;
  readonly prefix: string;
}

/** The caller's own cloud settings must not reach a client; a CA bundle for the whole machine would hide ours. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(AWS_|S3_|RCLONE_|NODE_OPTIONS$)/.test(name)));
}

/** Ours makes files durable before they count as done, the peers do not: their command with what that takes for all of it. */
export function thenSync(command: Command, directory: string): Command {
  const script = 'directory=$1; shift; "$@" && sync -f "$directory"';
  return { ...command, file: '/bin/sh', arguments: ['-c', script, 'sh', directory, command.file, ...command.arguments] };
}

export const needsSyncedPeer = (operation: Operation, storage: Storage): boolean => operation === 'down' && storage === 'disk';
