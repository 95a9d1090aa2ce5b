/** Waiting for an allocation, with progress on stderr and a way out. */
import type { Penstock } from '../client/penstock.ts';
import type { AllocationKey } from '../model/identifiers.ts';
import { isEnd, phases } from '../model/phase.ts';
import type { AllocationStatus } from '../model/status.ts';
import { CliError } from './cli-error.ts';
import { formatKey } from './input/allocation-name.ts';
import type { Session } from './session.ts';
import { readinessLine } from './views/status.ts';

export const waitTargets = ['ready', 'running', 'released'] as const;
export type WaitTarget = (typeof waitTargets)[number];

const POLL_MS = 1000;

export interface WaitOptions {
  readonly until: WaitTarget;
  /** For ever where absent. */
  readonly timeoutMs?: number | undefined;
}

/** @throws CliError waitedTooLong or allocationEnded; Refusal where the workflow failed or is not there */
export async function waitForPhase(session: Session, penstock: Penstock, key: AllocationKey, options: WaitOptions): Promise<AllocationStatus> {
  const over = new AbortController();
  const { signal } = over;
  const attempts = [options.until === 'released' ? waitForEnd(session, penstock, key, signal) : pollUntil(session, penstock, key, options.until, signal)];
  if (options.timeoutMs !== undefined) attempts.push(giveUpAfter(session, key, options.until, options.timeoutMs, signal));
  try {
    return await Promise.race(attempts);
  } finally {
    over.abort();
    await Promise.allSettled(attempts.slice(1));
  }
}

/** The result comes by a long poll; progress is a courtesy beside it, and may fail where no worker answers. */
async function waitForEnd(session: Session, penstock: Penstock, key: AllocationKey, signal: AbortSignal): Promise<AllocationStatus> {
  const progress = new AbortController();
  const showing = pollUntil(session, penstock, key, 'released', AbortSignal.any([signal, progress.signal])).catch(() => undefined);
  try {
    return await penstock.wait(key);
  } finally {
    progress.abort();
    await showing;
  }
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

async function giveUpAfter(session: Session, key: AllocationKey, until: WaitTarget, timeoutMs: number, signal: AbortSignal): Promise<never> {
  await session.io.delay(timeoutMs, signal);
  throw new CliError('waitedTooLong', `${formatKey(key)} was not ${until} after ${timeoutMs / 1000} s; it goes on by itself.`, { type: 'WaitedTooLong' });
}
