/** Data readiness: how much of what a job reads is hot, when the rest will be, and why it is not moving if it stalls. */
import type { Progress } from './manifest.ts';

/** Why something waits or failed: a stable code, the facts, and what a person can do. */
export interface Reason {
  readonly code: string;
  readonly message: string;
}

export interface Readiness {
  /** 0..1 by bytes; an empty data set is 1. */
  readonly readiness: number;
  readonly state: 'unknown' | 'waiting' | 'staging' | 'ready' | 'stalled' | 'failed' | 'expired';
  readonly files: number;
  readonly bytes: number;
  readonly doneFiles: number;
  readonly doneBytes: number;
  readonly bytesPerSecond: number;
  /** Absent where nothing is known about the rate. */
  readonly etaSeconds?: number;
  readonly reason?: Reason;
  /** The workflow that moves the data now; its pending activities have the freshest numbers. */
  readonly stagingWorkflowId?: string;
  /** Staged data cannot be evicted before this ISO instant. */
  readonly pinnedUntil?: string;
}

/** 0..1 by bytes; by files where nothing has bytes; never 1 before the last file is there. */
export function readinessOf(progress: Pick<Progress, 'files' | 'bytes' | 'doneFiles' | 'doneBytes'>): number {
  if (progress.doneFiles >= progress.files) return 1;
  const share = progress.bytes > 0 ? progress.doneBytes / progress.bytes : progress.doneFiles / progress.files;
  return Math.min(0.9999, Math.max(0, share));
}

/** Seconds until the rest has moved at the recent rate; undefined where nothing moves. */
export function etaSeconds(progress: Progress): number | undefined {
  const remaining = progress.bytes - progress.doneBytes;
  if (remaining <= 0) return 0;
  return progress.bytesPerSecond > 0 ? Math.ceil(remaining / progress.bytesPerSecond) : undefined;
}

export const noProgress: Progress = { files: 0, bytes: 0, doneFiles: 0, doneBytes: 0, bytesPerSecond: 0 };

export function addProgress(parts: readonly Progress[]): Progress {
  return parts.reduce(
    (sum, part) => ({
      files: sum.files + part.files,
      bytes: sum.bytes + part.bytes,
      doneFiles: sum.doneFiles + part.doneFiles,
      doneBytes: sum.doneBytes + part.doneBytes,
      bytesPerSecond: sum.bytesPerSecond + part.bytesPerSecond,
    }),
    noProgress,
  );
}
