/** A repair's state: plain data, carried into the next run of the same repair, and what is shown of it. */
import { ApplicationFailure, setCurrentDetails } from '@temporalio/workflow';
import type { RepairPlan } from '../../activities/repair.ts';
import { formatBytes, formatSeconds } from '../../model/quantity.ts';
import {
  type ActiveTime,
  activeMilliseconds,
  addRepairs,
  DEFAULT_LANES,
  mergeWanted,
  noRepairs,
  noTime,
  type RackListing,
  type RepairCounts,
  type RepairDue,
  type RepairRequest,
  type RepairStatus,
  repairEta,
  timeFrom,
  withoutDone,
} from '../../model/repair.ts';
import { now } from '../clock.ts';
import { EVENTS_PER_RUN } from '../moving.ts';

export interface RepairState {
  readonly startedAt: string;
  /** Until the first plan, nothing is known of what is due. Absent in states of runs before 0.3. */
  isPlanning?: boolean;
  /** Racks whose objects are still to be found. */
  listings: readonly RackListing[];
  /** Prefixes under which manifests are to be made anew. */
  claims: readonly string[];
  lanes: number;
  counts: RepairCounts;
  /** At the last plan, without what was done since. */
  due: RepairDue;
  laterObjects: number;
  /** How often what was put off was tried again in vain, and when it is tried next. */
  vainRounds: number;
  retryAtMilliseconds: number | null;
  isRetryWanted: boolean;
  active: ActiveTime;
  eventsPerRun: number;
  bytesPerSecond: number | null;
  paused: boolean;
}

const MAX_LISTINGS = 64;

export function newState({ bytesPerSecond = null }: { readonly bytesPerSecond?: number | null | undefined }): RepairState {
  return {
    startedAt: now(),
    isPlanning: true,
    listings: [],
    claims: [],
    lanes: DEFAULT_LANES,
    counts: noRepairs,
    due: { objects: 0, storedBytes: 0, isMore: false },
    laterObjects: 0,
    vainRounds: 0,
    retryAtMilliseconds: null,
    isRetryWanted: false,
    active: noTime,
    eventsPerRun: EVENTS_PER_RUN,
    bytesPerSecond,
    paused: false,
  };
}

export const isPast = (instant: number | null): boolean => instant !== null && Date.now() >= instant;

export function clock(state: RepairState, isActive: boolean): void {
  state.active = timeFrom(state.active, Date.now(), isActive);
}

/** InvalidInput where there would be more to look for than is kept: what was forgotten would pass for drained. */
export function demandRoom(state: RepairState, { racks, claim: prefix }: RepairRequest): void {
  const wanted = [
    { field: 'racks', of: 'racks', count: new Set([...state.listings.map(({ rack }) => rack), ...racks]).size },
    { field: 'claim', of: 'prefixes', count: new Set([...state.claims, ...(prefix === undefined ? [] : [prefix])]).size },
  ];
  for (const { field, of, count } of wanted) {
    if (count <= MAX_LISTINGS) continue;
    throw ApplicationFailure.nonRetryable(
      `${field}: found ${count} ${of} with those still to be looked for; accepted: ${MAX_LISTINGS} at once. Ask again when \`penstock erasure repair status\` shows fewer.`,
      'InvalidInput',
    );
  }
}

/** A rack that is being listed is not listed twice. */
export function take(state: RepairState, { racks, claim: prefix, lanes = state.lanes }: RepairRequest): void {
  const fresh = racks.filter((rack) => !state.listings.some((each) => each.rack === rack));
  state.listings = [...state.listings, ...fresh.map((rack) => ({ rack, listedObjects: 0, concernedObjects: 0 }))].slice(0, MAX_LISTINGS);
  if (prefix !== undefined && !state.claims.includes(prefix)) state.claims = [...state.claims, prefix].slice(0, MAX_LISTINGS);
  state.lanes = lanes;
}

/** Also what a repair that was stopped had still to look for; and what was asked for while the plan was made. */
export function takePlan(state: RepairState, { due, laterObjects, eventsPerRun, wanted }: RepairPlan): void {
  Object.assign(state, { due, laterObjects, isPlanning: false, eventsPerRun: Math.min(EVENTS_PER_RUN, eventsPerRun) });
  if (!wanted) return;
  const { listings, claims } = mergeWanted(state, wanted);
  state.listings = listings.slice(0, MAX_LISTINGS);
  state.claims = claims.slice(0, MAX_LISTINGS);
}

/** Other units may have been counted since this one was begun: the counts as they are now. */
export function countUnit(state: RepairState, names: readonly string[], done: RepairCounts): void {
  state.counts = addRepairs(state.counts, done);
  state.due = withoutDone(state.due, names);
  state.laterObjects += done.postponedObjects;
}

export function statusOf(state: RepairState): RepairStatus {
  const { startedAt, isPlanning, counts, due, laterObjects, listings, paused, bytesPerSecond, claims, active } = state;
  const isListing = listings.length > 0 || claims.length > 0;
  const eta = isListing || isPlanning ? undefined : repairEta(counts, due, activeMilliseconds(active, Date.now()) / 1000);
  return {
    state: isPlanning ? 'planning' : isListing ? 'listing' : due.objects > 0 ? 'repairing' : laterObjects > 0 ? 'waiting' : 'done',
    running: true,
    paused,
    bytesPerSecond,
    startedAt,
    counts,
    due,
    laterObjects,
    listings,
    activeTime: active,
    ...(eta === undefined ? {} : { etaSeconds: eta }),
  };
}

export function show(state: RepairState): void {
  const { state: phase, counts, due, laterObjects, listings, paused, etaSeconds } = statusOf(state);
  const dueText = phase === 'planning' ? 'looking what is due' : `${due.objects}${due.isMore ? ' or more' : ''} objects due`;
  setCurrentDetails(
    [
      `**${dueText}**, ${counts.repairedObjects} repaired${etaSeconds ? `, about ${formatSeconds(etaSeconds)} left` : ''}${paused ? ', paused' : ''}`,
      '',
      `- ${counts.rebuiltShards} shards rebuilt, ${formatBytes(counts.rebuiltBytes)}; ${counts.soundObjects} objects needed nothing`,
      `- ${laterObjects} put off until racks or space are back`,
      ...listings.map(({ rack, listedObjects, concernedObjects }) => `- listing ${rack}: ${concernedObjects} of ${listedObjects} objects had a shard there`),
      ...counts.lines.slice(0, 5).map((line) => `  - ${JSON.stringify(line)}`),
    ].join('\n'),
  );
}
