/** The erasure set's state and a scrub as people read them. */
import type { ErasureOverview } from '../../activities/erasure-overview.ts';
import { type ObjectClass, objectClasses } from '../../model/object-class.ts';
import { formatBytes, formatSeconds } from '../../model/quantity.ts';
import type { RepairStatus } from '../../model/repair.ts';
import {
  lastComplete,
  marginRows,
  marginsOf,
  type ScrubProgress,
  type ScrubStatus,
  type ScrubTrouble,
  scrubEtaSeconds,
  scrubShare,
} from '../../model/scrub.ts';
import { escapeLine } from '../output/escape.ts';
import { renderFacts, renderTable } from '../output/table.ts';
import { givenUpBlock } from './given-up.ts';
import { dueText, etaText, soFar } from './repair.ts';
import { rateText } from './transfer.ts';

/** Null where Temporal knows of no scrub, undefined where Temporal is away. */
export type KnownScrub = ScrubStatus | null | undefined;

export function overviewText(
  { racks, scrub: onRecord, repairsDue, repairsPutOff, givenUp }: ErasureOverview,
  repair: RepairStatus | undefined,
  now: Date,
  known?: KnownScrub,
): string {
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
  // The record is written at the end of a segment; what is under way tells more.
  const scrub = known?.running ? (known.progress ?? onRecord) : onRecord;
  const mayWait = known === undefined || known?.running;
  const facts = renderFacts([
    ['scrub', overviewScrub(scrub, known)],
    ['trouble', known?.trouble && troubleText(known.trouble)],
    // On record until the next segment is over, also where its hours have begun meanwhile.
    ['window', mayWait && scrub?.opensAt !== undefined && Date.parse(scrub.opensAt) > now.getTime() ? windowText(scrub) : undefined],
    ['repairs due', `${dueText(repairsDue)}${repair?.running ? `${soFar(repair)}, ${repair.counts.repairedObjects} repaired${etaText(repair)}` : ''}`],
    ['repair limit', repair?.running && repair.bytesPerSecond !== null ? rateText(repair.bytesPerSecond) : undefined],
    ['put off', repairsPutOff > 0 ? `${repairsPutOff} objects, until racks or space are back` : undefined],
  ]);
  const silentRacks = racks.filter(({ reachable }) => !reachable).length;
  return [table, ...(scrub ? marginsText(scrub, silentRacks) : []), facts, ...(givenUp ? [givenUpBlock(givenUp)] : [])].join('\n\n');
}

function overviewScrub(scrub: ScrubProgress | undefined, known: KnownScrub): string {
  if (known?.running && !known.progress) return `${known.paused ? 'paused' : 'begins'}`;
  if (!scrub) return 'never; penstock erasure scrub start';
  if (known?.running) return scrubLine(scrub, known.paused ? 'paused' : scrub.state);
  if (scrub.state === 'complete') return scrubLine(scrub, 'complete');
  return scrubLine(scrub, known === undefined ? `${scrub.state}, by the record` : 'stopped; penstock erasure scrub start goes on');
}

/** Of the last one that saw all objects, and apart from it how far the one on its way is. */
function marginsText(scrub: ScrubProgress, silentRacks: number): string[] {
  const whole = lastComplete(scrub);
  const now = silentRacks > 0 ? [`${silentRacks} ${silentRacks === 1 ? 'rack does' : 'racks do'} not answer now: subtract up to ${silentRacks}.`] : [];
  const complete = whole
    ? [`as of the scrub of ${whole.endedAt}, ${whole.objects} objects:`, marginText({ ...whole, byMargin: marginsOf(whole.byClass) }, whole.objects)]
    : ['No scrub was complete yet: margins of all objects are not known.'];
  const blocks = [[...complete, ...now].join('\n')];
  if (scrub.state !== 'complete' && scrub.objects > 0)
    blocks.push(`so far, by the scrub of ${scrub.startedAt}, ${scrub.objects} objects:\n${marginText(scrub, scrub.objects)}`);
  return blocks;
}

export function scrubText({ progress, running, paused, bytesPerSecond, trouble }: ScrubStatus): string {
  const state = running ? (paused ? 'paused' : 'under way') : progress?.state === 'complete' ? 'over' : 'stopped';
  const facts = renderFacts([
    ['scrub', state],
    ['window', running && progress ? windowText(progress) : undefined],
    ['progress', progress && scrubLine(progress, progress.state)],
    ['trouble', trouble && troubleText(trouble)],
    ['place', progress?.after],
    ['limit', rateText(bytesPerSecond)],
    ['damaged', progress && `${progress.damagedObjects} objects`],
    ['collected', progress && `${progress.shardsRemoved} shards that nobody would have finished`],
    ['no manifest', progress && progress.unclaimedCount > 0 ? `${progress.unclaimedCount} whole sets of shards` : undefined],
  ]);
  return [facts, ...(progress ? [marginText(progress, progress.objects)] : []), ...linesText(progress?.lines ?? [])].join('\n\n');
}

/** A column for each class that there is. */
function marginText({ byMargin, byClass, unseenByMargin }: Pick<ScrubProgress, 'byMargin' | 'byClass' | 'unseenByMargin'>, total: number): string {
  const classes = objectClasses.flatMap((objectClass) => {
    const known = byClass[objectClass];
    return known ? [{ title: classTitles[objectClass], known }] : [];
  });
  const unseen = Object.values(unseenByMargin).reduce((sum, each) => sum + each, 0);
  const rows = marginRows(byMargin).map(([margin, objects]) => [
    String(margin),
    String(objects),
    ...classes.map(({ known }) => String(known[margin] ?? 0)),
    ...(unseen > 0 ? [String(unseenByMargin[margin] ?? 0)] : []),
    margin < 0 ? 'cannot be read now' : '',
  ]);
  if (rows.length === 0) return total > 0 ? 'its margins are not on record, for it is of an earlier version' : 'no objects';
  const titles = ['racks that may still be lost', 'objects', ...classes.map(({ title }) => title), ...(unseen > 0 ? ['not all seen'] : []), ''];
  const table = renderTable(titles, rows);
  return unseen === 0
    ? table
    : `${table}\n${unseen} objects have shards that were not seen, for their racks did not answer: their margin is the least it may be, until the next scrub.`;
}

const classTitles: Readonly<Record<ObjectClass, string>> = { 'checkpoint-file': 'checkpoint files', pack: 'packs', record: 'records', other: 'others' };

function scrubLine(progress: ScrubProgress, word: string): string {
  const { state, objects, storedBytes, startedAt, updatedAt } = progress;
  const share = scrubShare(progress);
  const known = share === undefined || state === 'complete' ? '' : `, about ${Math.floor(share * 100)} %`;
  return `${word}, ${objects} objects, ${formatBytes(storedBytes)} of shards${known}; from ${startedAt} to ${updatedAt}${scrubEta(progress)}`;
}

/** Undefined while it may read. */
const windowText = ({ opensAt }: ScrubProgress): string | undefined => (opensAt === undefined ? undefined : `waits for its window, opens at ${opensAt}`);

function scrubEta(progress: ScrubProgress): string {
  const seconds = scrubEtaSeconds(progress);
  return seconds === undefined ? '' : `, about ${formatSeconds(seconds)} left of reading`;
}

const troubleText = ({ message, attempt, nextAttemptAt }: ScrubTrouble): string =>
  `${message} ${nextAttemptAt === undefined ? `Attempt ${attempt} is under way.` : `Attempt ${attempt} follows at ${nextAttemptAt}.`}`;

const linesText = (lines: readonly string[]): string[] => (lines.length === 0 ? [] : [lines.map(escapeLine).join('\n')]);
