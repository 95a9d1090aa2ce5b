/**
 * The bandwidth broker of a fabric, `broker/{fabric}`, for as long as the site has it. What it decides is model/broker-planner.ts; here it gets its requests, its
 * clock and its next run. It ends only where it is cancelled, and its holders then stop within a lease.
 */
import {
  ApplicationFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  isCancellation,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type * as z from 'zod';
import type { BrokerActivities } from '../activities/broker.ts';
import { brokerWorkflowId, ReleaseSchema, RenewSchema, ReserveSchema, type Standing, SuspectSchema } from '../model/broker.ts';
import { type BrokerOverview, overviewOf, renderTotals, totalsOf } from '../model/broker-overview.ts';
import { answerTo, type BrokerChange, type BrokerRequest, changed, wakeAtMs } from '../model/broker-planner.ts';
import { type BrokerState, newBrokerState } from '../model/broker-state.ts';
import { FabricNameSchema } from '../model/fabric.ts';
import { CONTROL_QUEUE } from '../model/identifiers.ts';
import { queryNames, updateNames } from '../model/messages.ts';
import { accept, requireWorkflowId } from './accept.ts';
import { recordTotals } from './broker/metrics.ts';
import { type BrokerPage, pagesOf, stateOf } from './broker/pages.ts';
import { createStoreWatch } from './broker/store-watch.ts';
import { innerMessageOf } from './failures.ts';
import { EVENTS_PER_RUN, historyIsFull, throwIfCancelled } from './moving.ts';
import { activities } from './presets.ts';

const reserve = defineUpdate<Standing, [unknown]>(updateNames.reserve);
const renew = defineUpdate<Standing, [unknown]>(updateNames.renew);
const release = defineUpdate<Standing, [unknown]>(updateNames.release);
const pause = defineUpdate<BrokerOverview>(updateNames.pause);
const resume = defineUpdate<BrokerOverview>(updateNames.resume);
const suspectStores = defineUpdate<void, [unknown]>(updateNames.suspectStores);
/** Unlike the query it starts the broker where it does not run. */
const look = defineUpdate<BrokerOverview>(updateNames.brokerState);
const query = defineQuery<BrokerOverview | undefined>(queryNames.brokerState);

/** Renewals keep an expiry from coming; who falls silent is noticed within a second of it. */
const LEAST_SLEEP_MS = 1000;

/** @param input the fabric's name. @param pages the state of the run before, where this one continues it. */
export async function broker(input: unknown, ...pages: BrokerPage[]): Promise<void> {
  const name = accept(FabricNameSchema, input);
  requireWorkflowId(brokerWorkflowId(name));
  let state = workflowInfo().continuedFromExecutionRunId ? stateOf(pages) : undefined;

  /** Why there is no such fabric: for those who asked, too. */
  let refusal: ApplicationFailure | undefined;

  const isBegun = (): boolean => state !== undefined || refusal !== undefined;
  const show = oncePerActivation(recordTotals(name));
  const keep = (next: BrokerState): void => {
    state = next;
    show(next);
  };
  /** From one state to the next without a pause in between: requests come side by side, and none may decide from what another has changed meanwhile. */
  const known = (): BrokerState => {
    if (!state) throw refusal ?? new TypeError('a broker has a state');
    return state;
  };
  // At once where it can be, for a promise in a workflow costs as much as a decision. Remove after 2027-06-01: runs begun before have continued as new by then.
  const isPrompt = patched('broker-answers-at-once');
  const whenBegun = <T>(decide: () => T): T | Promise<T> => (isPrompt && isBegun() ? decide() : condition(isBegun).then(decide));
  const answer = (request: () => BrokerRequest): Standing | Promise<Standing> =>
    whenBegun(() => {
      const answered = answerTo(known(), request());
      keep(answered.state);
      return answered.answer;
    });
  const change = (event: () => BrokerChange): BrokerOverview | Promise<BrokerOverview> =>
    whenBegun(() => {
      keep(changed(known(), event()));
      return overviewOf(known());
    });
  const only = (schema: z.ZodType) => ({ validator: (request: unknown) => void accept(schema, request) });
  const now = () => ({ nowMs: Date.now() });

  const watch = createStoreWatch({
    onOutage: (store, why) => keep(changed(known(), { kind: 'outage', ...now(), store, why })),
    onAnswer: (store) => keep(changed(known(), { kind: 'answer', ...now(), store })),
  });

  setHandler(query, () => state && overviewOf(state));
  setHandler(reserve, (request) => answer(() => ({ kind: 'reserve', ...now(), request: accept(ReserveSchema, request) })), only(ReserveSchema));
  setHandler(renew, (request) => answer(() => ({ kind: 'renew', ...now(), request: accept(RenewSchema, request) })), only(RenewSchema));
  setHandler(release, (request) => answer(() => ({ kind: 'release', ...now(), request: accept(ReleaseSchema, request) })), only(ReleaseSchema));
  setHandler(pause, () => change(() => ({ kind: 'pause', ...now() })));
  setHandler(resume, () => change(() => ({ kind: 'resume', ...now() })));
  setHandler(
    suspectStores,
    (request) =>
      whenBegun(() => {
        known();
        for (const store of accept(SuspectSchema, request).stores) watch.suspect(store);
      }),
    only(SuspectSchema),
  );
  setHandler(look, () => change(() => ({ kind: 'tick', ...now() })));

  // Each run reads it: a fabric that has grown is known at the next one.
  const control = activities<BrokerActivities>('control', { queue: CONTROL_QUEUE, summary: `read what ${name} can carry` });
  const { fabric, eventsPerRun } = await control.readFabric(name).catch(async (error: unknown) => {
    if (isCancellation(error)) throw error;
    refusal = ApplicationFailure.nonRetryable(innerMessageOf(error), 'InvalidInput');
    await condition(allHandlersFinished);
    throw refusal;
  });
  keep(state ? changed(state, { kind: 'configure', ...now(), fabric }) : newBrokerState(fabric, Date.now()));
  watch.goOn(known().outages);
  const isFull = () => historyIsFull(Math.min(EVENTS_PER_RUN, eventsPerRun));
  while (!isFull()) {
    const wakeAt = wakeAtMs(known());
    if (wakeAt === undefined) await condition(() => isFull() || (state?.reservations.length ?? 0) > 0);
    else await condition(isFull, Math.max(LEAST_SLEEP_MS, wakeAt - Date.now()), { summary: 'until a lease is over that nobody renewed' });
    await change(() => ({ kind: 'tick', ...now() }));
  }
  watch.stop();
  await condition(allHandlersFinished);
  throwIfCancelled();
  await continueAsNew<typeof broker>(name, ...pagesOf(known()));
}

/** What operators see: of the last of the states that one activation went through. */
function oncePerActivation(record: (state: BrokerState) => void): (state: BrokerState) => void {
  let last: BrokerState | undefined;
  const show = (): void => {
    if (!last) return;
    setCurrentDetails(renderTotals(totalsOf(last)));
    record(last);
    last = undefined;
  };
  return (state) => {
    if (!last) void Promise.resolve().then(show);
    last = state;
  };
}
