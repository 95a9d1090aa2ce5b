/** Takes manifests' copies away, without taking a successor's of the same name. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { messageOf } from '../../model/errors.ts';
import { type ManifestCopy, type SurveyOptions, surveyManifests } from './manifest-copies.ts';
import { askRack } from './rack-memory.ts';

/** Each is put where none is: one that changes so often while it is looked at is being fought over. */
const MAX_LOOKS = 5;

/**
 * Each copy is read again, and goes only while it is what was read: the name of a first generation is also its successor's, and this process may fall asleep in between. One after the
 * other, for some racks cannot compare, and what a rack itself cannot read none can: there a sleeper takes one copy of five at most, which the next repair puts back.
 * @returns rack and problem where a copy may be left
 */
export async function removeCopies(
  holders: readonly RackStore[],
  name: string,
  isDoomed: (copy: ManifestCopy) => boolean,
  options: SurveyOptions,
): Promise<ReadonlyMap<string, string>> {
  const left = new Map<string, string>();
  for (const rack of holders) {
    try {
      const problem = await removeCopy(rack, name, isDoomed, options);
      if (problem !== undefined) left.set(rack.id, problem);
    } catch (error) {
      options.signal?.throwIfAborted();
      left.set(rack.id, messageOf(error));
    }
  }
  return left;
}

/** @returns why it may be left */
async function removeCopy(rack: RackStore, name: string, isDoomed: (copy: ManifestCopy) => boolean, options: SurveyOptions): Promise<string | undefined> {
  for (let look = 1; look <= MAX_LOOKS; look++) {
    const [copy] = await surveyManifests([rack], name, options);
    if (copy?.state === 'unreachable') return copy.problem;
    if (!copy || copy.state === 'absent' || !isDoomed(copy)) return undefined;
    const { body } = copy;
    const end = await askRack(rack, 'removing a manifest', options, async (signal) => {
      if (body && rack.removeIf) return await rack.removeIf(name, body, { signal });
      await rack.remove(name, { signal });
      return 'gone';
    });
    if (end === 'gone') return undefined;
  }
  return `it was another one at each of ${MAX_LOOKS} looks`;
}
