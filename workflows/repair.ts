/**
 * Repairs what is due in the erasure set, most endangered first, until nothing is left. There is one at a time, under the id `repair`; scrubs and operators give it more by
 * messages. What is due lies in the object store, not here: a plan is a few hundred names, and the order is looked at anew after each.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { RepairActivities, RepairPlan } from '../activities/repair.ts';
import type { ScrubActivities } from '../activities/scrub.ts';
import { CONTROL_QUEUE, ERASURE_QUEUE } from '../model/identifiers.ts';
import { queryNames, signalNames, updateNames } from '../model/messages.ts';
import { formatBandwidth, formatBytes, formatSeconds } from '../model/quantity.ts';
import {
  addRepairs,
  noRepairs,
  type RackListing,
  REPAIR_WORKFLOW_ID,
  type RepairCounts,
  type RepairDue,
  RepairRequestSchema,
  type RepairStatus,
  repairEta,
} from '../model/repair.ts';
import { type RateAnswer, SetRateSchema } from '../model/transfer-input.ts';
import { accept, requireWorkflowId } from './accept.ts';
import { allOrNone } from './deadline.ts';
import { inTurn, newTurns } from './in-turn.ts';
import { EVENTS_PER_RUN, historyIsFull, slide, throwIfCancelled } from './moving.ts';
import { activities } from './presets.ts';

/** Carried into the next run of the same repair. */
export interface RepairState {
  readonly startedAt: string;
  /** Racks whose objects are still to be found. */
  listings: RackListing[];
  /** Prefixes under which manifests are to be made anew. */
  claims: string[];
  lanes: number;
  counts: RepairCounts;
  due: RepairDue;
  laterObjects: number;
  waitedRounds: number;
  bytesPerSecond: number | null;
  paused: boolean;
}

const LISTING_SECONDS = 300;
/** What was put off is tried again after a minute, then two, four, ... up to an hour. */
const FIRST_WAIT_SECONDS = 60;
const LONGEST_WAIT_SECONDS = 3600;
const MAX_LISTINGS = 64;

const status = defineQuery<RepairStatus>(queryNames.status);
const more = defineUpdate<RepairStatus, [unknown]>(updateNames.repairMore);
const queued = defineSignal(signalNames.repairsQueued);
const setRate = defineUpdate<RateAnswer, [unknown]>(updateNames.setRate);
const pause = defineUpdate<RepairStatus>(updateNames.pause);
const resume = defineUpdate<RepairStatus>(updateNames.resume);

/** @param input see RepairRequestSchema */
export async function repair(input: unknown, carried?: RepairState): Promise<RepairStatus> {
  const request = accept(RepairRequestSchema, input ?? {});
  requireWorkflowId(REPAIR_WORKFLOW_ID);
  const state = carried && workflowInfo().continuedFromExecutionRunId ? carried : newState();
  let woken = true;
  const turns = newTurns();
  const limit = (bytesPerSecond: number | null) =>
    activities<ScrubActivities>('control', {
      queue: CONTROL_QUEUE,
      summary: bytesPerSecond === null ? 'take the limit away' : `limit to ${formatBandwidth(bytesPerSecond)}`,
    }).setErasureLimit({ what: 'repair', bytesPerSecond });
  const steer = async (change: () => Promise<void>): Promise<void> => {
    await inTurn(turns, change);
    show(state);
  };

  setHandler(status, () => statusOf(state));
  setHandler(queued, () => {
    woken = true;
  });
  setHandler(
    more,
    (wanted) => {
      take(state, wanted);
      woken = true;
      return statusOf(state);
    },
    { validator: (wanted) => void accept(RepairRequestSchema, wanted) },
  );
  setHandler(
    setRate,
    async (wanted) => {
      const { bytesPerSecond } = accept(SetRateSchema, wanted);
      await steer(async () => {
        state.bytesPerSecond = bytesPerSecond;
        if (!state.paused) await limit(bytesPerSecond);
      });
      return { bytesPerSecond };
    },
    { validator: (wanted) => void accept(SetRateSchema, wanted) },
  );
  setHandler(pause, async () => {
    state.paused = true;
    await steer(() => limit(0));
    return statusOf(state);
  });
  setHandler(resume, async () => {
    state.paused = false;
    await steer(() => limit(state.bytesPerSecond));
    return statusOf(state);
  });

  if (state !== carried) {
    take(state, request);
    // What an earlier one was limited to, or paused at, is still on record.
    await steer(() => limit(state.bytesPerSecond));
  }
  for (;;) {
    show(state);
    await condition(() => !state.paused);
    const plan = await call('look what is due', CONTROL_QUEUE).planRepairs();
    Object.assign(state, { due: plan.due, laterObjects: plan.laterObjects });
    if (historyIsFull(Math.min(EVENTS_PER_RUN, plan.eventsPerRun))) break;
    woken = false;
    if (plan.units.length > 0 || state.listings.length > 0 || state.claims.length > 0) {
      state.waitedRounds = 0;
      await allOrNone([() => repairPlanned(state, plan), () => listRacks(state, plan), () => claim(state, plan)]);
    } else if (state.laterObjects > 0) {
      show(state);
      const seconds = Math.min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** state.waitedRounds);
      await condition(() => woken, seconds * 1000, { summary: `until ${state.laterObjects} objects that were put off are tried again` });
      state.waitedRounds += 1;
      await call('try again what was put off', CONTROL_QUEUE).requeueRepairs();
    } else {
      await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
      // Whoever queued meanwhile has said so, and is not left behind.
      if (!woken) return { ...statusOf(state), running: false };
    }
  }
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  throwIfCancelled();
  return await continueAsNew<typeof repair>(request, state);
}

function newState(): RepairState {
  return {
    startedAt: new Date(Date.now()).toISOString(),
    listings: [],
    claims: [],
    lanes: 4,
    counts: noRepairs,
    due: { objects: 0, storedBytes: 0, isMore: false },
    laterObjects: 0,
    waitedRounds: 0,
    bytesPerSecond: null,
    paused: false,
  };
}

/** A rack that is being listed is not listed twice. */
function take(state: RepairState, wanted: unknown): void {
  const { racks, claim: prefix, lanes } = accept(RepairRequestSchema, wanted);
  const fresh = racks.filter((rack) => !state.listings.some((each) => each.rack === rack));
  state.listings = [...state.listings, ...fresh.map((rack) => ({ rack, listedObjects: 0, concernedObjects: 0 }))].slice(0, MAX_LISTINGS);
  if (prefix !== undefined && !state.claims.includes(prefix)) state.claims = [...state.claims, prefix].slice(0, MAX_LISTINGS);
  state.lanes = lanes;
}

const call = (summary: string, queue: string, heartbeatSeconds?: number) =>
  activities<RepairActivities>(queue === CONTROL_QUEUE ? 'control' : 'waiting', {
    queue,
    summary,
    ...(heartbeatSeconds === undefined ? {} : { heartbeatSeconds }),
  });

async function repairPlanned(state: RepairState, { units, heartbeatSeconds }: RepairPlan): Promise<void> {
  const { lanes } = state;
  await slide(
    { from: 0, to: units.length, lanes },
    async (number) => {
      const names = units[number] ?? [];
      const summary = `repair ${names.length} objects, unit ${number + 1} of ${units.length}`;
      state.counts = addRepairs(state.counts, await call(summary, ERASURE_QUEUE, heartbeatSeconds).repairUnit({ names, lanes }));
      show(state);
    },
    () => state.paused,
  );
}

/** A piece of the first one, so that repairs of what is known already go on beside it. */
async function listRacks(state: RepairState, { heartbeatSeconds }: RepairPlan): Promise<void> {
  const [listing] = state.listings;
  if (!listing) return;
  const summary = `find what had shards on ${listing.rack}, ${listing.concernedObjects} objects so far`;
  const listed = await call(summary, ERASURE_QUEUE, heartbeatSeconds).listLostRack({ listing, seconds: LISTING_SECONDS });
  const others = state.listings.filter(({ rack }) => rack !== listing.rack);
  state.listings = listed.isOver ? others : [listed.listing, ...others];
}

async function claim(state: RepairState, { heartbeatSeconds }: RepairPlan): Promise<void> {
  const [prefix] = state.claims;
  if (prefix === undefined) return;
  const summary = `make manifests anew under ${JSON.stringify(prefix)}`;
  state.counts = addRepairs(state.counts, await call(summary, ERASURE_QUEUE, heartbeatSeconds).claimObjects({ prefix }));
  state.claims = state.claims.filter((each) => each !== prefix);
}

function statusOf(state: RepairState): RepairStatus {
  const { startedAt, counts, due, laterObjects, listings, paused, bytesPerSecond, claims } = state;
  const isListing = listings.length > 0 || claims.length > 0;
  const eta = isListing ? undefined : repairEta(counts, due, (Date.now() - Date.parse(startedAt)) / 1000);
  return {
    state: isListing ? 'listing' : due.objects > 0 ? 'repairing' : laterObjects > 0 ? 'waiting' : 'done',
    running: true,
    paused,
    bytesPerSecond,
    startedAt,
    counts,
    due,
    laterObjects,
    listings,
    ...(eta === undefined ? {} : { etaSeconds: eta }),
  };
}

function show(state: RepairState): void {
  const { counts, due, laterObjects, listings, paused, etaSeconds } = statusOf(state);
  setCurrentDetails(
    [
      `**${due.objects}${due.isMore ? ' or more' : ''} objects due**, ${counts.repairedObjects} repaired${etaSeconds ? `, about ${formatSeconds(etaSeconds)} left` : ''}${paused ? ', paused' : ''}`,
      '',
      `- ${counts.rebuiltShards} shards rebuilt, ${formatBytes(counts.rebuiltBytes)}; ${counts.soundObjects} objects needed nothing`,
      `- ${laterObjects} put off until racks or space are back`,
      ...listings.map(({ rack, listedObjects, concernedObjects }) => `- listing ${rack}: ${concernedObjects} of ${listedObjects} objects had a shard there`),
      ...counts.lines.slice(0, 5).map((line) => `  - ${JSON.stringify(line)}`),
    ].join('\n'),
  );
}
