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
  isCancellation,
  patched,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { RepairActivities, RepairPlan } from '../activities/repair.ts';
import type { ScrubActivities } from '../activities/scrub.ts';
import { CONTROL_QUEUE, ERASURE_QUEUE } from '../model/identifiers.ts';
import { queryNames, signalNames, updateNames } from '../model/messages.ts';
import { formatBandwidth } from '../model/quantity.ts';
import {
  addRepairs,
  CallOffRackSchema,
  DEFAULT_LANES,
  isFurther,
  type RackCalledOff,
  REPAIR_WORKFLOW_ID,
  type RepairRequest,
  RepairRequestSchema,
  type RepairStatus,
  type WantedRepairs,
  waitSeconds,
} from '../model/repair.ts';
import { type RateAnswer, SetRateSchema } from '../model/transfer-input.ts';
import { accept, requireWorkflowId } from './accept.ts';
import { allOrNone } from './deadline.ts';
import { inTurn, newTurns } from './in-turn.ts';
import { historyIsFull, slide, throwIfCancelled } from './moving.ts';
import { activities } from './presets.ts';
import { callOff, listingNow, type RackWork } from './repair/call-off.ts';
import { clock, countUnit, demandRoom, isPast, newState, type RepairState, show, statusOf, take, takePlan } from './repair/state.ts';

const LISTING_SECONDS = 300;

const status = defineQuery<RepairStatus>(queryNames.status);
const more = defineUpdate<RepairStatus, [unknown]>(updateNames.repairMore);
const callOffRack = defineUpdate<RackCalledOff, [unknown]>(updateNames.callOffRack);
const queued = defineSignal(signalNames.repairsQueued);
const setRate = defineUpdate<RateAnswer, [unknown]>(updateNames.setRate);
const pause = defineUpdate<RepairStatus>(updateNames.pause);
const resume = defineUpdate<RepairStatus>(updateNames.resume);

/** @param input see RepairRequestSchema */
export async function repair(input: unknown, carried?: RepairState): Promise<RepairStatus> {
  const request = accept(RepairRequestSchema, input ?? {});
  requireWorkflowId(REPAIR_WORKFLOW_ID);
  const state = carried && workflowInfo().continuedFromExecutionRunId ? carried : newState(request);
  let woken = true;
  let isRepairing = false;
  const isFull = () => historyIsFull(state.eventsPerRun);
  const turns = newTurns();
  const underWay: RackWork = { isPlanning: false, callingOff: 0 };
  const steer = async (change: () => Promise<unknown>): Promise<void> => {
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
      take(state, lanesKept(state, accept(RepairRequestSchema, wanted)));
      // Who asks has brought something back, or wants to see it tried.
      Object.assign(state, { vainRounds: 0, isRetryWanted: true });
      woken = true;
      return statusOf(state);
    },
    { validator: (wanted) => demandRoom(state, accept(RepairRequestSchema, wanted)) },
  );
  setHandler(
    callOffRack,
    async (wanted) => {
      const request = accept(CallOffRackSchema, wanted);
      const called = await callOff(state, underWay, request.rack, () => call(`call off the drain of ${request.rack}`, CONTROL_QUEUE).callOffRack(request));
      // What was planned is not all due any more.
      woken = true;
      return called;
    },
    { validator: (wanted) => void accept(CallOffRackSchema, wanted) },
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
    clock(state, false);
    await steer(() => limit(0));
    return statusOf(state);
  });
  setHandler(resume, async () => {
    state.paused = false;
    clock(state, isRepairing);
    await steer(() => limit(state.bytesPerSecond));
    return statusOf(state);
  });

  if (state !== carried) {
    take(state, request);
    // What an earlier one was limited to, or paused at, is still on record.
    await steer(async () => {
      const set = await limit(state.bytesPerSecond, request.bytesPerSecond === undefined);
      // Workers before 0.3 answer nothing, and know no policy.
      if (set) state.bytesPerSecond = set.bytesPerSecond;
    });
  }
  try {
    for (;;) {
      show(state);
      // Whoever queues something meanwhile says so each time, and a pause may last for weeks.
      await condition(() => !state.paused || isFull());
      if (isFull()) break;
      if (underWay.callingOff > 0) await condition(() => underWay.callingOff === 0);
      woken = false;
      underWay.isPlanning = true;
      const plan = await call('look what is due', CONTROL_QUEUE).planRepairs({ ...wantedOf(state), lanes: state.lanes });
      underWay.isPlanning = false;
      // Who has said so since then may have queued what this plan has not seen. Runs begun before 0.3 forgot it.
      if (woken && !patched('repair-keeps-wakes')) woken = false;
      takePlan(state, plan);
      show(state);
      if (isFull()) break;
      const isDue = plan.units.length > 0 || state.listings.length > 0 || state.claims.length > 0;
      if (state.laterObjects > 0 && (state.isRetryWanted || (!isDue && isPast(state.retryAtMilliseconds)))) {
        Object.assign(state, { vainRounds: state.isRetryWanted ? 0 : state.vainRounds + 1, retryAtMilliseconds: null, isRetryWanted: false });
        await call('try again what was put off', CONTROL_QUEUE).requeueRepairs();
        continue;
      }
      state.isRetryWanted = false;
      if (isDue) {
        const before = state.counts;
        isRepairing = plan.units.length > 0;
        clock(state, isRepairing && !state.paused);
        await allOrNone([() => repairPlanned(state, plan, isFull), () => listRacks(state, plan, underWay), () => claim(state, plan)]);
        isRepairing = false;
        clock(state, false);
        if (isFurther(before, state.counts)) state.vainRounds = 0;
      } else if (state.laterObjects > 0) {
        show(state);
        const now = Date.now();
        // What is queued meanwhile is begun at once; what was put off still has its time to wait.
        state.retryAtMilliseconds ??= now + waitSeconds(state.vainRounds) * 1000;
        const summary = `until ${state.laterObjects} objects that were put off are tried again`;
        await condition(() => woken, Math.max(1, state.retryAtMilliseconds - now), { summary });
      } else {
        await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
        // Whoever queued meanwhile has said so, and is not left behind.
        if (!woken) return { ...statusOf(state), running: false };
      }
    }
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    throwIfCancelled();
    return await continueAsNew<typeof repair>(request, state);
  } catch (error) {
    if (isCancellation(error)) await keepWanted(state);
    throw error;
  }
}

/** By the site's policy where nobody named a limit. */
function limit(bytesPerSecond: number | null, isByPolicy = false): Promise<RateAnswer | undefined> {
  const summary = isByPolicy
    ? "limit as the site's policy says"
    : bytesPerSecond === null
      ? 'take the limit away'
      : `limit to ${formatBandwidth(bytesPerSecond)}`;
  return activities<ScrubActivities>('control', { queue: CONTROL_QUEUE, summary }).setErasureLimit({
    what: 'repair',
    bytesPerSecond,
    ...(isByPolicy ? { isByPolicy } : {}),
  });
}

const wantedOf = ({ listings, claims }: RepairState): WantedRepairs => ({ listings, claims });

/** What was still to be looked for is on record as it advances; what no plan has seen yet is put there now. */
async function keepWanted(state: RepairState): Promise<void> {
  if (state.listings.length + state.claims.length === 0 || !patched('repair-keeps-wanted')) return;
  await CancellationScope.nonCancellable(() => call('keep what is still to be looked for', CONTROL_QUEUE).planRepairs(wantedOf(state)));
}

/** Runs begun before 0.3 went back to the default. */
function lanesKept({ lanes }: RepairState, wanted: RepairRequest): RepairRequest {
  return wanted.lanes !== undefined || lanes === DEFAULT_LANES || patched('repair-keeps-lanes') ? wanted : { ...wanted, lanes: DEFAULT_LANES };
}

const call = (summary: string, queue: string, heartbeatSeconds?: number) =>
  activities<RepairActivities>(queue === CONTROL_QUEUE ? 'control' : 'waiting', {
    queue,
    summary,
    ...(heartbeatSeconds === undefined ? {} : { heartbeatSeconds }),
  });

async function repairPlanned(state: RepairState, { units, heartbeatSeconds }: RepairPlan, isFull: () => boolean): Promise<void> {
  const { lanes } = state;
  await slide(
    { from: 0, to: units.length, lanes },
    async (number) => {
      const names = units[number] ?? [];
      const summary = `repair ${names.length} objects, unit ${number + 1} of ${units.length}`;
      const done = await call(summary, ERASURE_QUEUE, heartbeatSeconds).repairUnit({ names, lanes });
      countUnit(state, names, done);
      show(state);
    },
    () => state.paused || isFull(),
  );
}

/** A piece of the first one, so that repairs of what is known already go on beside it. */
async function listRacks(state: RepairState, { heartbeatSeconds }: RepairPlan, underWay: RackWork): Promise<void> {
  const [listing] = state.listings;
  if (!listing) return;
  const summary = `find what had shards on ${listing.rack}, ${listing.concernedObjects} objects so far`;
  const listed = await listingNow(underWay, listing.rack, () =>
    call(summary, ERASURE_QUEUE, heartbeatSeconds).listLostRack({ listing, seconds: LISTING_SECONDS }),
  );
  if (!listed) return;
  const others = state.listings.filter(({ rack }) => rack !== listing.rack);
  state.listings = listed.isOver ? others : [listed.listing, ...others];
}

async function claim(state: RepairState, { heartbeatSeconds }: RepairPlan): Promise<void> {
  const [prefix] = state.claims;
  if (prefix === undefined) return;
  const summary = `make manifests anew under ${JSON.stringify(prefix)}`;
  const done = await call(summary, ERASURE_QUEUE, heartbeatSeconds).claimObjects({ prefix });
  state.counts = addRepairs(state.counts, done);
  state.claims = state.claims.filter((each) => each !== prefix);
}
