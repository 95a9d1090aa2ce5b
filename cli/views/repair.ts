/** A repair of the erasure set as people read it. */
import { formatBytes, formatSeconds } from '../../model/quantity.ts';
import type { HeldUp, RackCalledOff, RepairDue, RepairStatus } from '../../model/repair.ts';
import { escapeLine } from '../output/escape.ts';
import { renderFacts } from '../output/table.ts';
import { rateText } from './transfer.ts';

export function repairText(status: RepairStatus): string {
  const { counts, laterObjects, listings, running, paused, bytesPerSecond, heldUp = [] } = status;
  const facts = renderFacts([
    ['repair', `${running ? (paused ? 'paused' : workText(status)) : 'over'}, started ${status.startedAt}`],
    [
      'due',
      running && status.state === 'planning' ? 'being counted; penstock erasure repair status' : `${dueText(status.due)}${etaText(status)}${soFar(status)}`,
    ],
    ['put off', laterObjects > 0 ? `${objectsText(laterObjects)}, until racks or space are back` : undefined],
    ['done', `${objectsText(counts.repairedObjects)} repaired, ${counts.soundObjects} needed nothing`],
    ['rebuilt', `${counts.rebuiltShards} ${counts.rebuiltShards === 1 ? 'shard' : 'shards'}, ${formatBytes(counts.rebuiltBytes)}`],
    ['manifests', counts.claimedObjects > 0 ? `made anew for ${objectsText(counts.claimedObjects)}` : undefined],
    // The site's policy is asked before anything else is done.
    ['limit', status.running && status.state === 'planning' && bytesPerSecond === null ? undefined : rateText(bytesPerSecond)],
    ...listings.map(
      ({ rack, listedObjects, concernedObjects }) => ['listing', `${rack}: ${concernedObjects} of ${objectsText(listedObjects)} had a shard there`] as const,
    ),
    ...heldUp.map((each) => ['held up', escapeLine(heldUpText(each))] as const),
  ]);
  return [facts, ...(counts.lines.length === 0 ? [] : [counts.lines.map(escapeLine).join('\n')])].join('\n\n');
}

/** Without a rack it is manifests that are looked for. */
const workText = ({ state, listings }: RepairStatus): string => (state === 'listing' && listings.length === 0 ? 'making manifests anew' : state);

/** While it is still being looked for, none due is no all-clear. */
export const soFar = ({ running, state }: Pick<RepairStatus, 'running' | 'state'>): string => (running && state === 'listing' ? ' so far' : '');

export const calledOffText = ({ rack, listing, droppedObjects }: RackCalledOff): string =>
  renderFacts([
    ['called off', `the drain of ${rack}`],
    ['listing', listing && `ended at ${listing.concernedObjects} of ${objectsText(listing.listedObjects)}`],
    ['dropped', `${objectsText(droppedObjects)} that nothing else wanted repaired`],
  ]);

export const dueText = ({ objects, storedBytes, isMore }: RepairDue): string =>
  objects === 0 ? 'none' : `${isMore ? `${objects} or more objects` : objectsText(objects)}, ${formatBytes(storedBytes)} of shards`;

export const etaText = ({ etaSeconds, due }: RepairStatus): string =>
  etaSeconds === undefined || due.objects === 0 ? '' : `, about ${formatSeconds(etaSeconds)} left`;

const heldUpText = ({ what, attempt, problem, nextTryAt }: HeldUp): string =>
  `${what}: ${problem} (${nextTryAt === undefined ? `attempt ${attempt} is under way` : `attempt ${attempt} begins at ${nextTryAt}`})`;

const objectsText = (objects: number): string => `${objects} ${objects === 1 ? 'object' : 'objects'}`;
