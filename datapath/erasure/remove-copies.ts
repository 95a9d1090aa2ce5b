/** Takes manifests' copies away, without taking a successor's of the same name. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { type ManifestCopy, type SurveyOptions, surveyManifests } from './manifest-copies.ts';
import { messageOf, within } from './patience.ts';

/**
 * Each copy is read again just before it goes, and one after the other: the name of a first generation is also its successor's, and a rack cannot compare by itself.
 * So a process that falls asleep here takes one copy of five from a successor at most, which the next repair puts back.
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
    const [copy] = await surveyManifests([rack], name, options);
    if (copy?.state === 'unreachable') left.set(rack.id, copy.problem);
    if (!copy || copy.state === 'absent' || copy.state === 'unreachable' || !isDoomed(copy)) continue;
    try {
      await within(options.patience.requestMilliseconds, rack.id, 'removing a manifest', (signal) => rack.remove(name, { signal }), options.signal);
    } catch (error) {
      options.signal?.throwIfAborted();
      left.set(rack.id, messageOf(error));
    }
  }
  return left;
}
