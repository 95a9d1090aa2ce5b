/** Which queues have somebody working at them. Temporal goes on naming a poller for five minutes after its process has died. */

/** A poll lasts 60 s at most, then the next one begins: who has not asked for longer than that is gone. */
const SILENT_AFTER_SECONDS = 70;

/** As describeTaskQueue tells it; by the server's clock. */
export interface Poller {
  readonly identity?: string | null;
  readonly lastAccessTime?: { readonly seconds?: { toNumber(): number } | null } | null;
}
export interface QueuePollers {
  readonly queue: string;
  readonly pollers: readonly Poller[];
}

/** A clause for each queue that nobody polls any more, or never did. @param now milliseconds */
export function idleQueues(queues: readonly QueuePollers[], now: number): string[] {
  return queues.flatMap(({ queue, pollers }) => {
    const silences = pollers.map(({ lastAccessTime }) => Math.floor(now / 1000) - (lastAccessTime?.seconds?.toNumber() ?? 0));
    const shortest = Math.min(...silences);
    if (shortest <= SILENT_AFTER_SECONDS) return [];
    return [pollers.length === 0 ? queue : `${queue} (last asked ${shortest} s ago)`];
  });
}
