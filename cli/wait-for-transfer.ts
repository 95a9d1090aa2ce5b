/** Waiting for a transfer, a check, a recall or a replication, with progress on stderr and a way out. */
import type { Penstock } from '../client/penstock.ts';
import type { ReplicationKey } from '../client/replications.ts';
import { checkLine } from '../model/check.ts';
import { type RecallKey, type RecallResult, recallLine } from '../model/recall.ts';
import { transferLine } from '../model/transfer-details.ts';
import type { TransferResult } from '../model/transfer-input.ts';
import type { Session } from './session.ts';
import { replicationLine } from './views/replication.ts';
import { besideProgress, POLL_MS, withinTime } from './waiting.ts';

export function waitForTransfer(session: Session, penstock: Penstock, transferId: string, timeoutMs?: number): Promise<TransferResult> {
  return waitFor(session, {
    what: `transfer ${transferId}`,
    left: `transfer ${transferId} goes on; \`penstock transfer cancel ${transferId}\` ends it, \`penstock transfer wait ${transferId}\` waits again.`,
    result: () => penstock.transfers.wait(transferId),
    async progress() {
      const status = await penstock.transfers.status(transferId);
      return status.state === 'moving' || status.state === 'finishing' ? `${status.state}: ${transferLine(status)}` : status.state;
    },
    timeoutMs,
  });
}

export function waitForCheck(session: Session, penstock: Penstock, checkId: string, timeoutMs?: number) {
  return waitFor(session, {
    what: `check ${checkId}`,
    left: `check ${checkId} goes on; \`penstock check cancel ${checkId}\` ends it, \`penstock check wait ${checkId}\` waits again.`,
    result: () => penstock.checks.wait(checkId),
    async progress() {
      const status = await penstock.checks.status(checkId);
      return `${status.state}: ${checkLine(status)}`;
    },
    timeoutMs,
  });
}

export function waitForReplication(session: Session, penstock: Penstock, key: ReplicationKey, timeoutMs?: number) {
  return waitFor(session, {
    what: `replication ${key.replicationId}`,
    left: `replication ${key.replicationId} goes on; the same command attaches to it.`,
    result: () => penstock.replications.wait(key),
    progress: async () => replicationLine(await penstock.replications.status(key)),
    timeoutMs,
  });
}

export function waitForRecall(session: Session, penstock: Penstock, key: RecallKey, timeoutMs?: number): Promise<RecallResult> {
  const name = `${key.tenant}/${key.project}/${key.allocationId}/${key.recallId}`;
  return waitFor(session, {
    what: `recall ${name}`,
    left: `recall ${name} goes on; \`penstock recall cancel ${name}\` ends it, \`penstock recall wait ${name}\` waits again.`,
    result: () => penstock.recalls.wait(key),
    progress: async () => recallLine(await penstock.recalls.status(key)),
    timeoutMs,
  });
}

interface Waiting<T> {
  readonly what: string;
  /** Said to who leaves before its end. */
  readonly left: string;
  result(): Promise<T>;
  progress(): Promise<string>;
  /** For ever where absent. */
  readonly timeoutMs?: number | undefined;
}

function waitFor<T>(session: Session, { what, left, result, progress, timeoutMs }: Waiting<T>): Promise<T> {
  return withinTime(session, { timeoutMs, late: `${what} was not over`, left }, (over) =>
    besideProgress(over, result, (signal) => showProgress(session, progress, signal)),
  );
}

async function showProgress(session: Session, progress: () => Promise<string>, signal: AbortSignal): Promise<void> {
  for (let shown = ''; !signal.aborted; await session.io.delay(POLL_MS, signal)) {
    const line = await progress().catch(() => shown);
    if (signal.aborted) return;
    if (line !== shown) session.note(line);
    shown = line;
  }
}
