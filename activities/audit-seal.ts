/** The sequencer of a control worker: looks now and then whether something is to be sealed. Any number of workers may do so. */
import { setTimeout as delay } from 'node:timers/promises';
import { createSequencer, type Sequencer } from '../datapath/audit/sequencer.ts';
import type { Stores } from '../drivers/open-site.ts';
import { openAuditLog } from './audit-log.ts';

/** A look is a request or two; a checkpoint is late by so much at most. */
const LOOK_MS = 10_000;

export interface SealOptions {
  readonly signal: AbortSignal;
  /** Told of each failure; the next look is made all the same. */
  readonly onError: (error: unknown) => void;
}

/** Ends when the signal does; throws nothing. */
export async function sealUntil(stores: Stores, { signal, onError }: SealOptions): Promise<void> {
  const { checkpointSeconds = 60 } = stores.site.audit ?? {};
  const lookMs = Math.min(LOOK_MS, (checkpointSeconds * 1000) / 4);
  let sequencer: Sequencer | undefined;
  while (!signal.aborted) {
    try {
      sequencer ??= createSequencer(await openAuditLog(stores));
      await sequencer.sealDue();
    } catch (error) {
      sequencer = undefined;
      onError(error);
    }
    await delay(lookMs, undefined, { signal }).catch(() => undefined);
  }
}
