/** Which later generations of an object's manifest there are: by name alone, so that damaged copies are counted too. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { messageOf } from '../../model/errors.ts';
import { type ManifestName, manifestsOf, parseManifestKey } from './layout.ts';
import { enoughOf, type SurveyOptions } from './manifest-copies.ts';
import { mostOf } from './patience.ts';
import { askRack } from './rack-memory.ts';

/** One manifest on one rack. */
export interface ListedManifest extends ManifestName {
  readonly rack: RackStore;
  readonly name: string;
}

export interface ListedManifests {
  readonly listed: readonly ListedManifest[];
  readonly answered: readonly RackStore[];
  /** Rack and problem. */
  readonly silent: readonly (readonly [string, string])[];
}

/** Every manifest of the key on these racks, by name. Rejects only where the signal is aborted. */
export async function listManifests(racks: readonly RackStore[], key: string, options: SurveyOptions): Promise<ListedManifests> {
  const asked = racks.map(async (rack): Promise<{ readonly keys: readonly string[] } | { readonly problem: string }> => {
    try {
      return await askRack(rack, 'listing manifests', options, (inner) => rack.list(manifestsOf(key), { limit: MOST_LISTED, signal: inner }));
    } catch (error) {
      options.signal?.throwIfAborted();
      return { problem: messageOf(error) };
    }
  });
  const answers = await mostOf(asked, enoughOf(racks, options), (answer) => 'keys' in answer);
  const listed: ListedManifest[] = [];
  const answered: RackStore[] = [];
  const silent: (readonly [string, string])[] = [];
  for (const [index, rack] of racks.entries()) {
    const answer = answers[index] ?? { problem: 'it did not answer in time' };
    if ('problem' in answer) {
      silent.push([rack.id, answer.problem]);
      continue;
    }
    answered.push(rack);
    for (const name of answer.keys) {
      const parsed = parseManifestKey(name);
      if (parsed?.key === key) listed.push({ ...parsed, rack, name });
    }
  }
  return { listed, answered, silent };
}

/** Two are usual, three while a repair tidies up. */
const MOST_LISTED = 1000;

/** The later generations of a write, highest first. */
export function laterGenerations(listed: readonly ListedManifest[], writeId: string, than = 1): number[] {
  const generations = listed.filter((each) => each.writeId === writeId && each.generation > than).map(({ generation }) => generation);
  return [...new Set(generations)].sort((a, b) => b - a);
}
