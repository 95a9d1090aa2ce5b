/** Windows of bandwidth for what activities move: each waits for one, and its bytes pass within it. Where the site has no fabric for it, it moves as it is. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { WithStartWorkflowOperation, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { storedBytes } from '../datapath/checkpoint/drain.ts';
import { type Lessor, type WindowWish, withinWindow } from '../datapath/transfer/leased-limiter.ts';
import type { RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import { brokerStart, brokerWorkflowId, type LeaseToken, type Standing, StandingSchema } from '../model/broker.ts';
import type { CheckpointRecord } from '../model/checkpoint-record.ts';
import { isType, PenstockError } from '../model/errors.ts';
import { fabricThat } from '../model/fabric.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { updateNames, workflowTypes } from '../model/messages.ts';
import type { Site } from '../model/site.ts';
import type { Run } from './effect.ts';

export interface Wish extends Omit<WindowWish, 'holder' | 'signal'> {
  readonly fabric: string;
}

/** Work whose store fails says so to the broker, which asks the store itself and stops its windows where it does not answer. @throws as {@link withinWindow} */
export async function withinFabric<T>({ fabric, ...wish }: Wish, run: Pick<Run, 'attempt' | 'signal'>, work: (limiter: RateLimiter) => Promise<T>): Promise<T> {
  const { workflowId } = Context.current().info.workflowExecution ?? {};
  const held = { ...wish, holder: `${workflowId}/${run.attempt}`, signal: run.signal };
  try {
    return await withinWindow(lessorOf(fabric), held, work);
  } catch (error) {
    if (!run.signal.aborted && wish.stores && isOfStore(error)) suspect(fabric, wish.stores);
    throw error;
  }
}

export interface DrainWindow {
  readonly fabric: string;
  readonly tenant: string;
  readonly record: Pick<CheckpointRecord, 'bytes' | 'committedAt'>;
}

/** The longer ago it was committed, the more work hangs on it: that goes first among a tenant's own, and before all others after an outage. */
export function withinDrainWindow<T>({ fabric, tenant, record }: DrainWindow, run: Run, drain: (limiter: RateLimiter) => Promise<T>): Promise<T> {
  const wish: Wish = {
    fabric,
    class: 'drain',
    tenant,
    bytes: storedBytes(record.bytes),
    atRiskSeconds: Math.max(0, (Date.now() - Date.parse(record.committedAt)) / 1000),
    stores: ['racks'],
  };
  return withinFabric(wish, run, drain);
}

type Staged = Pick<Wish, 'tenant' | 'bytes' | 'leastUsefulRate' | 'mostUsefulRate' | 'stores'>;

/** @param stage is given no limiter where no fabric of the site stages */
export function withinStageWindow<T>({ fabrics }: Pick<Site, 'fabrics'>, staged: Staged, run: Run, stage: (limiter?: RateLimiter) => Promise<T>): Promise<T> {
  const fabric = fabricThat(fabrics, 'stages');
  if (fabric === undefined || staged.bytes === 0) return stage();
  return withinFabric({ fabric, class: 'stage', ...staged }, run, stage);
}

/**
 * Of a checkpoint on its way back to the hot tier: a job waits for it, so it is of the class of its commit and not held to staging's part.
 * @param bytesOf is not asked where no fabric of the site stages
 */
export async function withinRestoreWindow<T>(
  { fabrics }: Pick<Site, 'fabrics'>,
  { tenant, bytesOf }: { readonly tenant: string; readonly bytesOf: () => Promise<number> },
  run: Run,
  restore: (limiter?: RateLimiter) => Promise<T>,
): Promise<T> {
  const fabric = fabricThat(fabrics, 'stages');
  const bytes = fabric === undefined ? 0 : await bytesOf();
  if (fabric === undefined || bytes === 0) return await restore();
  return await withinFabric({ fabric, class: 'checkpoint', tenant, bytes, stores: ['hot', 'racks'] }, run, restore);
}

export interface ErasureWindow {
  readonly bytes: number;
  /** What it is limited to besides; a window need not be wider. 0 and Infinity say nothing. */
  readonly limit: number;
}

/** Of scrub and repair. It names no store: they go on with fewer racks than a write needs, for that is what they are there for. */
export function withinScrubWindow<T>(
  { fabrics }: Pick<Site, 'fabrics'>,
  { bytes, limit }: ErasureWindow,
  run: Pick<Run, 'attempt' | 'signal'>,
  work: (limiter?: RateLimiter) => Promise<T>,
): Promise<T> {
  const fabric = fabricThat(fabrics, 'scrubs');
  if (fabric === undefined || bytes === 0) return work();
  const most = limit >= 1 && limit < Infinity ? { mostUsefulRate: Math.floor(limit) } : {};
  return withinFabric({ fabric, class: 'scrub', tenant: SYSTEM_BUCKET, bytes, ...most }, run, work);
}

/** What passes is asked again by the holder, and a repeat is the same reservation. InvalidInput where the broker does not take the request, such as for a fabric that its site file has not. */
function lessorOf(fabric: string): Lessor {
  const { workflow } = Context.current().client;
  const heard = async (answer: Promise<unknown>): Promise<Standing> => {
    try {
      return StandingSchema.parse(await answer);
    } catch (error) {
      const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
      if (!(cause instanceof ApplicationFailure && cause.type === 'InvalidInput')) throw error;
      throw new PenstockError('InvalidInput', cause.message, { nextStep: 'Give all workers of the site the same site file.', cause: error });
    }
  };
  const ask = async (update: string, request: LeaseToken): Promise<Standing> => {
    try {
      return await heard(workflow.getHandle(brokerWorkflowId(fabric)).executeUpdate(update, { args: [request] }));
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      return {
        kind: 'lost',
        requestId: request.requestId,
        message: `fabric ${fabric} has no broker any more.`,
        nextStep: 'Stop sending; reserve under a new id.',
      };
    }
  };
  const begin = () => new WithStartWorkflowOperation<(fabric: string) => Promise<void>>(workflowTypes.broker, brokerStart(fabric));
  return {
    reserve: (request) => heard(workflow.executeUpdateWithStart(updateNames.reserve, { args: [request], startWorkflowOperation: begin() })),
    renew: (request) => ask(updateNames.renew, request),
    release: (token) => ask(updateNames.release, token),
  };
}

/** A courtesy that nobody waits for: the next one whose work fails says it again. */
function suspect(fabric: string, stores: readonly string[]): void {
  const handle = Context.current().client.workflow.getHandle(brokerWorkflowId(fabric));
  handle.executeUpdate<void, [unknown]>(updateNames.suspectStores, { args: [{ stores }] }).catch(() => undefined);
}

/** What a store is to blame for, as far as its user can tell. */
function isOfStore(error: unknown): boolean {
  if (isType(error, 'StoreUnavailable', 'IoError')) return true;
  return error instanceof Error && error.cause !== undefined && isOfStore(error.cause);
}
