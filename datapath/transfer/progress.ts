/** Progress of a transfer: how far, how fast lately, how long still. */
import type { Progress } from '../../model/manifest.ts';

/** Long enough to be calm, short enough to show a stall. */
const WINDOW_MS = 10_000;
/** A low limit lets a span of 16 MiB pass now and then: the window is as long as a few of these pauses, but not longer than this. */
const LONGEST_WINDOW_MS = 60_000;
const PAUSES_IN_WINDOW = 4;
/** The longest window has at most 121 samples. */
const SAMPLE_MS = 500;
/** From less, a rate is a guess: the first bytes come late, or all at once. */
const KNOWN_AFTER_MS = 3000;

type Clock = () => number;
const systemClock: Clock = () => performance.now();

export interface RateMeter {
  /** Bytes that moved just now; negative where they do not count after all. */
  add(bytes: number): void;
  /** Bytes per second of late: undefined in the first three seconds, 0 once nothing has moved for the length of the window. */
  rate(): number | undefined;
}

interface Sample {
  readonly atMs: number;
  /** Moved before. */
  readonly bytes: number;
}

export function createRateMeter(now: Clock = systemClock): RateMeter {
  const startMs = now();
  let moved = 0;
  let movedAtMs = startMs;
  let samples: readonly Sample[] = [{ atMs: startMs, bytes: 0 }];

  const window = (): number => {
    const pause = (movedAtMs - (samples[0]?.atMs ?? startMs)) / Math.max(1, samples.length - 1);
    return Math.min(LONGEST_WINDOW_MS, Math.max(WINDOW_MS, PAUSES_IN_WINDOW * pause));
  };
  /** Between two samples as if it had come evenly. */
  const movedUntil = (atMs: number): number => {
    if (atMs >= movedAtMs) return moved;
    const later = samples.find((sample) => sample.atMs > atMs) ?? { atMs: movedAtMs, bytes: moved };
    const earlier = samples.findLast((sample) => sample.atMs <= atMs);
    if (!earlier) return later.bytes;
    return earlier.bytes + ((later.bytes - earlier.bytes) * (atMs - earlier.atMs)) / (later.atMs - earlier.atMs);
  };

  return {
    add(bytes) {
      if (bytes === 0) return;
      const atMs = now();
      const newest = samples.at(-1);
      if (!newest || atMs - newest.atMs >= SAMPLE_MS) {
        const oldest = samples.findLastIndex((sample) => sample.atMs <= atMs - LONGEST_WINDOW_MS);
        samples = [...samples.slice(Math.max(0, oldest)), { atMs, bytes: moved }];
      }
      moved += bytes;
      movedAtMs = atMs;
    },
    rate() {
      const atMs = now();
      if (atMs - startMs < KNOWN_AFTER_MS) return undefined;
      const fromMs = Math.max(startMs, atMs - window());
      return Math.max(0, Math.round(((moved - movedUntil(fromMs)) * 1000) / (atMs - fromMs)));
    },
  };
}

export interface ProgressMeter {
  /** Bytes that moved; negative where a failed entry's bytes do not count after all. */
  addBytes(bytes: number): void;
  addFile(): void;
  snapshot(): Progress;
}

export function createProgressMeter(total: { readonly files: number; readonly bytes: number }, now?: Clock): ProgressMeter {
  const meter = createRateMeter(now);
  let doneFiles = 0;
  let doneBytes = 0;
  return {
    addBytes(bytes) {
      meter.add(bytes);
      doneBytes += bytes;
    },
    addFile() {
      doneFiles += 1;
    },
    snapshot: () => ({ ...total, doneFiles, doneBytes, bytesPerSecond: meter.rate() ?? 0 }),
  };
}
