/**
 * Whether it is beyond doubt what an object consists of. What deletes unasked demands this: every rack answers, the manifest has its five copies on the electors,
 * and no other attempt's copy lies anywhere. Where that is not so, nothing is collected, and a repair has to make it so first.
 */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { laterGenerations, listManifests } from './generations.ts';
import { laterManifestKey, MANIFEST_COPIES, manifestKey } from './layout.ts';
import type { ErasureManifest } from './manifest.ts';
import { electorsFor, groupsOf, type SurveyOptions, surveyManifests } from './manifest-copies.ts';

export interface Settled {
  /** Undefined where no rack has one. */
  readonly manifest: ErasureManifest | undefined;
  /** Writes that a later generation names: something is left of their manifests, even where the first generation's are gone. */
  readonly named: ReadonlySet<string>;
}

/** StoreUnavailable, saying why, where it is in doubt. */
export async function demandSettled(racks: readonly RackStore[], key: string, { patience, signal }: SurveyOptions): Promise<Settled> {
  const options: SurveyOptions = { patience, signal };
  const { listed, silent } = await listManifests(racks, key, options);
  const [quiet] = silent;
  if (quiet) throw inDoubt(key, `${quiet[0]} did not list its manifests (${quiet[1]})`);
  const named = new Set(listed.flatMap(({ writeId }) => writeId ?? []));
  const first = await soleManifest(racks, key, manifestKey(key), options);
  if (!first) return { manifest: undefined, named };
  const [highest] = laterGenerations(listed, first.writeId);
  if (highest === undefined) return { manifest: first, named };
  const later = await soleManifest(racks, key, laterManifestKey(key, first.writeId, highest), options);
  if (!later) throw inDoubt(key, `its generation ${highest} was there a moment ago`);
  return { manifest: later, named };
}

async function soleManifest(racks: readonly RackStore[], key: string, name: string, options: SurveyOptions): Promise<ErasureManifest | undefined> {
  const copies = await surveyManifests(racks, name, options);
  for (const copy of copies) if ('problem' in copy) throw inDoubt(key, `${copy.rack.id} has no readable answer about ${name} (${copy.problem})`);
  const [leader, rival] = groupsOf(copies);
  if (!leader) return undefined;
  if (rival) throw inDoubt(key, `${rival.holders.map(({ id }) => id).join(', ')} hold another attempt's copy of ${name}`);
  const electors = electorsFor(key, racks);
  const count = leader.holders.filter((rack) => electors.includes(rack)).length;
  if (count < MANIFEST_COPIES) throw inDoubt(key, `${count} of ${MANIFEST_COPIES} copies of ${name} are on its electors`);
  return leader.manifest;
}

function inDoubt(key: string, why: string): PenstockError {
  return new PenstockError('StoreUnavailable', `nothing of ${JSON.stringify(key)} is collected, for it is in doubt which manifest counts: ${why}.`, {
    nextStep: 'Repair the object, or bring back the rack.',
  });
}
