/**
 * Watches over what was archived, for as long as it must be kept. The store enforces the retention; this workflow attests on
 * schedule that it still does, extends it when asked, and ends when it is over. Nothing is deleted here.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  isCancellation,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { RetentionActivities } from '../activities/retention.ts';
import { ExtendRetentionSchema } from '../model/allocation.ts';
import { type AllocationKey, DATA_QUEUE } from '../model/identifiers.ts';
import { formatLocation, type Location } from '../model/location.ts';
import type { ManifestRef } from '../model/manifest.ts';
import { queryNames, updateNames } from '../model/messages.ts';
import type { RetentionStatus } from '../model/retention.ts';
import { accept } from './accept.ts';
import { activities } from './presets.ts';

export interface RetainRequest extends AllocationKey {
  readonly manifest: ManifestRef;
  readonly target: Location;
  readonly retainUntil: string;
  readonly attestDays: number;
  readonly heartbeatSeconds: number;
  /** From the run before, where this one continues it. */
  readonly attestations?: number;
  readonly lastAttestedAt?: string;
}

const DAY_MS = 86_400_000;
const EVENTS_PER_RUN = 2000; // seven years of quarterly attestations are about 300

const extend = defineUpdate<RetentionStatus, [unknown]>(updateNames.extendRetention);
const status = defineQuery<RetentionStatus>(queryNames.status);

export async function retain(request: RetainRequest): Promise<RetentionStatus> {
  const { manifest, target, heartbeatSeconds } = request;
  let { retainUntil, lastAttestedAt, attestations = 0 } = request;
  let breach: string | undefined;
  let extending = Promise.resolve();
  const call = (summary: string) => activities<RetentionActivities>('bulk', { queue: DATA_QUEUE, heartbeatSeconds, summary });
  const report = (): RetentionStatus => ({
    location: formatLocation(target),
    retainUntil,
    attestations,
    ...(lastAttestedAt ? { lastAttestedAt } : {}),
    ...(breach ? { breach } : {}),
  });
  const show = () =>
    setCurrentDetails(
      `${breach ? `**BREACH**: ${breach}\n\n` : ''}**locked until ${retainUntil}**, attested ${attestations} times${lastAttestedAt ? `, last at ${lastAttestedAt}` : ''}\n- ${manifest.files} files in ${formatLocation(target)}`,
    );

  setHandler(status, report);
  setHandler(
    extend,
    async (input) => {
      const wanted = acceptExtension(input, retainUntil);
      // One after the other, so that a later, longer extension is not overtaken by an earlier one.
      const before = extending.catch(() => undefined); // one that failed does not stop the next
      extending = before.then(async () => {
        await call(`extend the lock of ${manifest.files} files to ${wanted}`).extendLocks({ manifest, target, retainUntil: wanted });
        if (Date.parse(wanted) > Date.parse(retainUntil)) retainUntil = wanted;
        show();
      });
      await extending;
      return report();
    },
    { validator: (input) => void acceptExtension(input, retainUntil) },
  );

  while (Date.now() < Date.parse(retainUntil)) {
    show();
    const next = Math.min(Date.parse(retainUntil), Date.now() + request.attestDays * DAY_MS);
    await condition(() => false, next - Date.now(), { summary: next === Date.parse(retainUntil) ? 'end of the retention' : 'next attestation' });
    if (Date.now() < Date.parse(retainUntil)) {
      breach = await attest(() =>
        call(`attest that ${manifest.files} files are still locked until ${retainUntil}`).attestLocks({ manifest, target, retainUntil }),
      );
      if (!breach) {
        attestations += 1;
        lastAttestedAt = new Date(Date.now()).toISOString();
      }
    }
    if (workflowInfo().continueAsNewSuggested || workflowInfo().historyLength > EVENTS_PER_RUN) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof retain>({ ...request, retainUntil, attestations, ...(lastAttestedAt ? { lastAttestedAt } : {}) });
    }
  }
  await condition(allHandlersFinished);
  return report();
}

/** A breach is shown until it is mended, and watching goes on: an alarm that ends the watch would be the last one. */
async function attest(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    return error.cause?.message ?? error.message;
  }
}

function acceptExtension(input: unknown, retainUntil: string): string {
  const { retainUntil: asked } = accept(ExtendRetentionSchema, input);
  if (Date.parse(asked) >= Date.parse(retainUntil)) return asked;
  throw ApplicationFailure.nonRetryable(`retainUntil: found ${asked}; accepted: ${retainUntil} or later, retention is never shortened`, 'Refused');
}
