/** Fourteen shards opened before a whole object is read: what cannot be read is refused before its first byte. */
import type { FindingLog } from './findings.ts';
import { lateAfterMilliseconds, noteLatency, usualLatency } from './latency.ts';
import { DATA_SHARDS, HEADER_BYTES } from './layout.ts';
import type { ErasureManifest } from './manifest.ts';
import type { ShardSource } from './shard-source.ts';
import { notEnough } from './stripe-reader.ts';

/** Those usually fast first, data before parity; others join for each that fails or is late. NotEnoughShards, naming the racks, where fewer can be opened. */
export async function openEnough(manifest: ErasureManifest, sources: readonly ShardSource[], log: FindingLog): Promise<void> {
  const racks = sources.flatMap(({ rack }) => rack ?? []);
  const limit = lateAfterMilliseconds(racks, HEADER_BYTES);
  const isSlow = ({ rack, isSilent }: ShardSource): boolean => rack !== undefined && (isSilent() || (usualLatency(rack, HEADER_BYTES) ?? 0) > limit);
  const untried = [...sources].sort((a, b) => Number(isSlow(a)) - Number(isSlow(b)) || a.index - b.index);
  const timers = new Set<NodeJS.Timeout>();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let opened = 0;
  let underWay = 0;
  let late = 0;
  advance();
  try {
    await promise;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }

  function advance(): void {
    if (opened >= DATA_SHARDS) {
      resolve();
      return;
    }
    while (opened + underWay - late < DATA_SHARDS) {
      const next = untried.shift();
      if (!next) break;
      ask(next);
    }
    if (opened + underWay < DATA_SHARDS) reject(notEnough(manifest, 0, opened + underWay, log));
  }

  function ask(source: ShardSource): void {
    underWay++;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      late++;
      if (source.rack) noteLatency(source.rack, HEADER_BYTES, limit);
      log.record({ rack: source.rackId, index: source.index, kind: 'late', firstStripe: undefined, message: 'it did not open in time' });
      advance();
    }, limit);
    timers.add(timer);
    openOrGiveUp(source).then(() => {
      clearTimeout(timer);
      underWay--;
      if (isLate) late--;
      if (source.isOpen()) opened++;
      advance();
    }, reject);
  }
}

/** A first failure may pass; the second one makes it lost. */
async function openOrGiveUp(source: ShardSource): Promise<void> {
  while (!source.isOpen() && !source.isLost()) await source.open();
}
