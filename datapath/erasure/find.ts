/** Whether an object exists, and its manifest. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { checkKey } from './layout.ts';
import type { ErasureManifest } from './manifest.ts';
import { findManifest } from './manifest-copies.ts';
import { defaultPatience, type Patience } from './patience.ts';

export interface FindErasureObject {
  readonly racks: readonly RackStore[];
  readonly key: string;
  readonly signal?: AbortSignal | undefined;
  readonly patience?: Patience | undefined;
}

/** Undefined where there is none. StoreUnavailable where too many racks are silent to say so. */
export async function findErasureObject({ racks, key, signal, patience = defaultPatience }: FindErasureObject): Promise<ErasureManifest | undefined> {
  checkKey(key);
  return (await findManifest(racks, key, { patience, signal }))?.manifest;
}
