/** Progress of a transfer: how far, how fast lately, how long still. */
import type { Progress } from '../../model/manifest.ts';

/** Long enough to be calm, short enough to show a stall. */
const WINDOW_MS = 10_000;
/** Samples kept: the window in tenths. */
const SAMPLE_MS = WINDOW_MS / 10;

export interface ProgressMeter {
  /** Bytes that moved; negative where a failed entry's bytes do not count after all. */
  addBytes(bytes: number): void;
  addFile(): void;
  snapshot(): Progress;
  /** Seconds until the end at the recent rate; undefined where nothing moves. */
  etaSeconds(): number | undefined;
}

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

export function createProgressMeter(total: { readonly files: number; readonly bytes: number }, now: () => number = () => performance.now()): ProgressMeter {
  let doneFiles = 0;
  let doneBytes = 0;
  let samples: Sample[] = [{ atMs: now(), bytes: 0 }];

  const rate = (): number => {
    const atMs = now();
    // The newest sample that is older than the window stays: it is where the window's rate is measured from.
    const firstInside = samples.findIndex((sample) => sample.atMs >= atMs - WINDOW_MS);
    samples = samples.slice(Math.max(0, (firstInside === -1 ? samples.length : firstInside) - 1));
    const [oldest] = samples;
    if (!oldest || atMs <= oldest.atMs) return 0;
    return Math.max(0, Math.round(((doneBytes - oldest.bytes) * 1000) / (atMs - oldest.atMs)));
  };

  return {
    addBytes(bytes) {
      const atMs = now();
      const newest = samples.at(-1);
      if (!newest || atMs - newest.atMs >= SAMPLE_MS) samples.push({ atMs, bytes: doneBytes });
      if (samples.length > 64) rate();
      doneBytes += bytes;
    },
    addFile() {
      doneFiles += 1;
    },
    snapshot: () => ({ ...total, doneFiles, doneBytes, bytesPerSecond: rate() }),
    etaSeconds() {
      const bytesPerSecond = rate();
      return bytesPerSecond > 0 ? Math.max(0, total.bytes - doneBytes) / bytesPerSecond : undefined;
    },
  };
}
