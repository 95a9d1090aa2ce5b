/** Waiting for an allocation, with progress on stderr and a way out. */
import type { Penstock } from '../client/penstock.ts';
import type { AllocationKey } from '../model/identifiers.ts';
import { isEnd, phases } from '../model/phase.ts';
import type { AllocationStatus } from '../model/status.ts';
import { CliError } from './cli-error.ts';
import { formatKey } from './input/allocation-name.ts';
import type { Session } from './session.ts';
import { readinessLine } from './views/status.ts';
import { besideProgress, POLL_MS, withinTime } from './waiting.ts';

export const waitTargets = ['ready', 'running', 'released'] as const;
export type WaitTarget = (typeof waitTargets)[number];

export interface WaitOptions {
  readonly until: WaitTarget;
  /** For ever where absent. */
  readonly timeoutMs?: number | undefined;
}

/** @throws CliError waitedTooLong or allocationEnded; Refusal where the workflow failed or is not there */
export async function waitForPhase(session: Session, penstock: Penstock, key: AllocationKey, options: WaitOptions): Promise<AllocationStatus> {
  const { until, timeoutMs } = options;
  const name = formatKey(key);
  const poll = (signal: AbortSignal) => pollUntil(session, penstock, key, until, signal);
  return await withinTime(
    session,
    { timeoutMs, late: `${name} was not ${until}`, left: `${name} goes on; \`penstock allocation cancel ${name}\` ends it.` },
    (over) => (until === 'released' ? besideProgress(over, () => penstock.wait(key), poll) : poll(over)),
  );
}

async function pollUntil(session: Session, penstock: Penstock, key: AllocationKey, until: WaitTarget, signal: AbortSignal): Promise<AllocationStatus> {
  for (let shown = ''; ; await session.io.delay(POLL_MS, signal)) {
    const status = await penstock.status(key);
    signal.throwIfAborted();
    const line = status.phase === 'queued' || status.phase === 'staging' ? `${status.phase}: ${readinessLine(status.readiness)}` : status.phase;
    const withReason = status.reason ? `${line} (${status.reason.code}: ${status.reason.message})` : line;
    if (withReason !== shown) session.note(withReason);
    shown = withReason;
    if (phases.indexOf(status.phase) < phases.indexOf(until)) continue;
    if (!isEnd(status.phase) || status.phase === 'released') return status;
    throw new CliError('allocationEnded', `${formatKey(key)} ${status.phase}: ${status.reason?.message ?? 'no reason given'}`, {
      type: status.reason?.code ?? status.phase,
    });
  }
}
