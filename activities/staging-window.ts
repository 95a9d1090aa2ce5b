/** Staging within a window of the fabric that it goes over: all allocations and movers together have staging's part of it. */
import type { RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import type { Stores } from '../drivers/open-site.ts';
import { WatchedStoreSchema } from '../model/broker.ts';
import { parseAllocationWorkflowId } from '../model/identifiers.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import type { MoveRequest } from '../model/transfer.ts';
import type { Run } from './effect.ts';
import { renewPins } from './mover.ts';
import { withinStageWindow } from './windows.ts';

type Moved = Pick<MoveRequest, 'lane' | 'manifest' | 'source' | 'target' | 'report'>;

/** However long the grace is: a timer takes no more than 2^31 ms. */
const RENEW_MS = 3_600_000;

/** What is not staged needs no window. The space that it was promised stays its own while it waits for one. */
export async function staging<T>(stores: Stores, { lane, report, ...request }: Moved, run: Run, work: (window?: RateLimiter) => Promise<T>): Promise<T> {
  if (lane !== 'staging') return await work();
  const { manifest, source, target } = request;
  const owner = report?.workflowId;
  const wish = {
    tenant: (owner === undefined ? undefined : parseAllocationWorkflowId(owner)?.tenant) ?? SYSTEM_BUCKET,
    // Of one unit, as large as they are on the average.
    bytes: Math.ceil(manifest.bytes / Math.max(1, manifest.units ?? 1)),
    stores: [source.store, target.store].flatMap((store) => WatchedStoreSchema.safeParse(store).data ?? []),
  };
  const renew = (): void => void (owner === undefined ? undefined : renewPins(stores, owner).catch(() => undefined));
  const renewing = setInterval(renew, Math.min(RENEW_MS, (stores.site.policies.leaseGraceSeconds * 1000) / 3));
  try {
    return await withinStageWindow(stores.site, wish, run, work);
  } finally {
    clearInterval(renewing);
  }
}
