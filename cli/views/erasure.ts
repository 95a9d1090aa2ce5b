/** The erasure set's state, a scrub and a repair as people read them. */
import type { ErasureOverview } from '../../activities/erasure-overview.ts';
import { type ObjectClass, objectClasses } from '../../model/object-class.ts';
import { formatBytes, formatSeconds } from '../../model/quantity.ts';
import type { RepairDue, RepairStatus } from '../../model/repair.ts';
import { marginRows, type ScrubProgress, type ScrubStatus, scrubShare } from '../../model/scrub.ts';
import { escapeLine } from '../output/escape.ts';
import { renderFacts, renderTable } from '../output/table.ts';
import { rateText } from './transfer.ts';

export function overviewText({ racks, scrub, repairsDue, repairsPutOff }: ErasureOverview, repair: RepairStatus | undefined, now: Date): string {
  const table = renderTable(
    ['rack', 'room', 'reachable', 'free', ''],
    racks.map(({ id, room, reachable, freeBytes, note }) => [
      id,
      room,
      reachable ? 'yes' : 'NO',
      freeBytes === undefined ? '' : formatBytes(freeBytes),
      note ?? '',
    ]),
  );
  const facts = renderFacts([
    ['scrub', scrub ? scrubLine(scrub) : 'never; penstock erasure scrub start'],
    // On record until the next segment is over, also where its hours have begun meanwhile.
    ['window', scrub?.opensAt !== undefined && Date.parse(scrub.opensAt) > now.getTime() ? windowText(scrub) : undefined],
    ['repairs due', `${dueText(repairsDue)}${repair?.running ? `, ${repair.counts.repairedObjects} repaired${etaText(repair)}` : ''}`],
    ['put off', repairsPutOff > 0 ? `${repairsPutOff} objects, until racks or space are back` : undefined],
  ]);
  return [table, ...(scrub ? [marginText(scrub)] : []), facts].join('\n\n');
}

export function scrubText({ progress, running, paused, bytesPerSecond }: ScrubStatus): string {
  const state = running ? (paused ? 'paused' : 'under way') : progress?.state === 'complete' ? 'over' : 'stopped';
  const facts = renderFacts([
    ['scrub', state],
    ['window', running && progress ? windowText(progress) : undefined],
    ['progress', progress && scrubLine(progress)],
    ['place', progress?.after],
    ['limit', rateText(bytesPerSecond)],
    ['damaged', progress && `${progress.damagedObjects} objects`],
    ['collected', progress && `${progress.shardsRemoved} shards that nobody would have finished`],
    ['no manifest', progress && progress.unclaimedCount > 0 ? `${progress.unclaimedCount} whole sets of shards` : undefined],
  ]);
  return [facts, ...(progress ? [marginText(progress)] : []), ...linesText(progress?.lines ?? [])].join('\n\n');
}

export function repairText(status: RepairStatus): string {
  const { counts, due, laterObjects, listings, running, paused, bytesPerSecond } = status;
  const facts = renderFacts([
    ['repair', `${running ? (paused ? 'paused' : status.state) : 'over'}, started ${status.startedAt}`],
    ['due', `${dueText(due)}${etaText(status)}`],
    ['put off', laterObjects > 0 ? `${laterObjects} objects, until racks or space are back` : undefined],
    ['done', `${counts.repairedObjects} objects repaired, ${counts.soundObjects} needed nothing`],
    ['rebuilt', `${counts.rebuiltShards} shards, ${formatBytes(counts.rebuiltBytes)}`],
    ['manifests', counts.claimedObjects > 0 ? `made anew for ${counts.claimedObjects} objects` : undefined],
    ['limit', rateText(bytesPerSecond)],
    ...listings.map(
      ({ rack, listedObjects, concernedObjects }) => ['listing', `${rack}: ${concernedObjects} of ${listedObjects} objects had a shard there`] as const,
    ),
  ]);
  return [facts, ...linesText(counts.lines)].join('\n\n');
}

/** A column for each class that there is. */
function marginText({ byMargin, byClass }: Pick<ScrubProgress, 'byMargin' | 'byClass'>): string {
  const classes = objectClasses.flatMap((objectClass) => {
    const known = byClass[objectClass];
    return known ? [{ title: classTitles[objectClass], known }] : [];
  });
  const rows = marginRows(byMargin).map(([margin, objects]) => [
    String(margin),
    String(objects),
    ...classes.map(({ known }) => String(known[margin] ?? 0)),
    margin < 0 ? 'cannot be read now' : '',
  ]);
  return rows.length === 0 ? 'no objects' : renderTable(['racks that may still be lost', 'objects', ...classes.map(({ title }) => title), ''], rows);
}

const classTitles: Readonly<Record<ObjectClass, string>> = { 'checkpoint-file': 'checkpoint files', pack: 'packs', record: 'records', other: 'others' };

function scrubLine(progress: ScrubProgress): string {
  const { state, objects, storedBytes, startedAt, updatedAt } = progress;
  const share = scrubShare(progress);
  const known = share === undefined || state === 'complete' ? '' : `, about ${Math.floor(share * 100)} %`;
  return `${state}, ${objects} objects, ${formatBytes(storedBytes)} of shards${known}; from ${startedAt} to ${updatedAt}${scrubEta(progress, share)}`;
}

/** Undefined while it may read. */
const windowText = ({ opensAt }: ScrubProgress): string | undefined => (opensAt === undefined ? undefined : `waits for its window, opens at ${opensAt}`);

function scrubEta({ state, startedAt, updatedAt }: ScrubProgress, share: number | undefined): string {
  if (state !== 'reading' || share === undefined || share <= 0) return '';
  const elapsedSeconds = (Date.parse(updatedAt) - Date.parse(startedAt)) / 1000;
  return `, about ${formatSeconds((elapsedSeconds / share) * (1 - share))} left`;
}

const dueText = ({ objects, storedBytes, isMore }: RepairDue): string =>
  objects === 0 ? 'none' : `${objects}${isMore ? ' or more' : ''} objects, ${formatBytes(storedBytes)} of shards`;
const etaText = ({ etaSeconds, due }: RepairStatus): string =>
  etaSeconds === undefined || due.objects === 0 ? '' : `, about ${formatSeconds(etaSeconds)} left`;
const linesText = (lines: readonly string[]): string[] => (lines.length === 0 ? [] : [lines.map(escapeLine).join('\n')]);
