/**
 * Prefetch jobs: recall what the origin has below a path and the tree has not. While one runs, the room it needs is promised
 * to it and its path is pinned. Repeating a request answers its job; a job that failed is run again by it.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { PrefetchJob } from '../../drivers/hot-tier/port.ts';
import { ApiError, errnoOf } from './api-error.ts';
import { isHot } from './catalog.ts';
import { createPacer, INCOMING_PREFIX, recallFile } from './prefetch-copy.ts';
import { recordEvictions } from './reservations.ts';
import { acceptPath, type PrefetchInput } from './schemas.ts';
import { makeRoom } from './space.ts';
import { digestOf, findByKey, type JobRecord, MAX_OBJECTS } from './state.ts';
import type { Answer, Tier } from './tier.ts';
import { walk } from './tree.ts';

const JOBS_AT_ONCE = 4;
const RERUN_MILLISECONDS = 2000;
/** Finished jobs are remembered for those who poll, the last so many of them. */
const FINISHED_JOBS_KEPT = 1024;

type Progress = Pick<JobRecord, 'files' | 'bytes' | 'doneFiles' | 'doneBytes'>;

export interface PrefetchJobs {
  create(input: PrefetchInput): Promise<Answer<PrefetchJob>>;
  get(id: string): PrefetchJob;
  /** After a start: jobs that were running go on; what is hot by now counts as done. */
  resume(): void;
  /** Resolves when no job is running any more; the stop signal ends them. */
  settled(): Promise<void>;
}

export function createPrefetchJobs(tier: Tier): PrefetchJobs {
  const turn = pLimit(JOBS_AT_ONCE);
  const progress = new Map<string, Progress>();
  const running = new Set<Promise<void>>();

  const start = (job: JobRecord): void => {
    const run = turn(() => runUntilRecorded(tier, job, (now) => progress.set(job.id, now))).finally(() => {
      progress.delete(job.id);
      running.delete(run);
    });
    running.add(run);
  };
  const render = (record: JobRecord): PrefetchJob => {
    const { id, createdAt: _createdAt, requestDigest: _requestDigest, promisedBytes: _promisedBytes, error, ...rest } = record;
    return { jobId: id, ...rest, ...progress.get(id), ...(error === undefined ? {} : { error }) };
  };

  return {
    async create(input) {
      const request = { ...input, path: acceptPath(input.path, 'data') };
      const requestDigest = digestOf(request);
      const { job, created, begun } = await tier.store.transact(async (state) => {
        const known = findByKey(state.jobs, request, requestDigest);
        if (known && known.state !== 'failed') return { state, result: { job: known, created: false, begun: false } };
        const others = state.jobs.filter((each) => each !== known);
        if (others.filter((each) => each.state === 'running').length >= MAX_OBJECTS) {
          throw new ApiError('limit_reached', `${MAX_OBJECTS} prefetch jobs are running; wait for some to finish`);
        }
        const { moreBytes, ...measured } = await measure(tier, request.path);
        const { promisedBytes, evicted } = await makeRoom(tier.config, { ...state, jobs: others }, { path: request.path, moreBytes }, tier.now());
        await recordEvictions(tier, evicted);
        const identity = { id: known?.id ?? `job-${randomUUID()}`, createdAt: known?.createdAt ?? new Date(tier.now()).toISOString() };
        const record: JobRecord = { ...request, ...identity, requestDigest, state: 'running', ...measured, promisedBytes };
        return { state: { ...state, jobs: [...forgetOldest(others), record] }, result: { job: record, created: !known, begun: true } };
      });
      if (begun) start(job);
      return { created, value: render(job) };
    },
    get(id) {
      const job = tier.store.current().jobs.find((each) => each.id === id);
      if (!job) throw new ApiError('not_found', `there is no prefetch job ${JSON.stringify(id)}`);
      return render(job);
    },
    resume() {
      for (const job of tier.store.current().jobs) if (job.state === 'running') start(job);
    },
    async settled() {
      await Promise.allSettled(running);
    },
  };
}

function forgetOldest(jobs: readonly JobRecord[]): JobRecord[] {
  const finished = jobs.filter((job) => job.state !== 'running');
  const forgotten = new Set(finished.slice(0, Math.max(0, finished.length - FINISHED_JOBS_KEPT)));
  return jobs.filter((job) => !forgotten.has(job));
}

/** What the origin has below the path, what of it is hot, and how much the tree will hold more when all is. */
async function measure(tier: Tier, path: string): Promise<Progress & { moreBytes: number }> {
  const found = { files: 0, bytes: 0, doneFiles: 0, doneBytes: 0, moreBytes: 0 };
  let anything = false;
  for await (const file of walk({ here: tier.config.root, there: tier.config.originRoot }, path)) {
    anything = true;
    if (!file.there) continue;
    found.files += 1;
    found.bytes += Number(file.there.size);
    if (!file.here) found.moreBytes += Number(file.there.size);
    if (!isHot(file)) continue;
    found.doneFiles += 1;
    found.doneBytes += Number(file.there.size);
  }
  if (!anything) throw new ApiError('not_found', `neither the tier nor its origin has anything at ${path}; check its name`);
  return found;
}

/** A job ends only in its record. Where even that cannot be written (a full disk), it is run again: what is hot then costs nothing. */
async function runUntilRecorded(tier: Tier, job: JobRecord, onProgress: (progress: Progress) => void): Promise<void> {
  // A stopped emulator leaves the job running in its state: the next one resumes it.
  while (!tier.stopping.aborted) {
    try {
      return await runJob(tier, job, onProgress);
    } catch (error) {
      if (tier.stopping.aborted) return;
      tier.report(`prefetch job ${job.id} could not be finished and is run again`, error);
      await delay(RERUN_MILLISECONDS, undefined, { signal: tier.stopping }).catch(() => {});
    }
  }
}

async function runJob(tier: Tier, job: JobRecord, onProgress: (progress: Progress) => void): Promise<void> {
  const { root, originRoot } = tier.config;
  const pace = createPacer(job.bytesPerSecond, tier.stopping);
  const measured = { files: job.files, bytes: job.bytes };
  let done = { doneFiles: 0, doneBytes: 0 };
  const seen = { files: 0, bytes: 0 };
  const failures: string[] = [];
  for await (const file of walk({ here: root, there: originRoot }, job.path)) {
    if (!file.there) continue;
    tier.stopping.throwIfAborted();
    const bytes = Number(file.there.size);
    seen.files += 1;
    seen.bytes += bytes;
    const startedWith = done;
    // Progress within a file too: one large file would otherwise look stuck.
    const paceAndTell = async (moved: number): Promise<void> => {
      done = { ...done, doneBytes: done.doneBytes + moved };
      onProgress({ ...measured, ...done });
      await pace(moved);
    };
    const failure = isHot(file) ? undefined : await tryRecall(tier, job, file.path, paceAndTell);
    tier.stopping.throwIfAborted();
    if (failure) failures.push(failure);
    done = failure ? startedWith : { doneFiles: startedWith.doneFiles + 1, doneBytes: startedWith.doneBytes + bytes };
    onProgress({ ...measured, ...done });
  }
  const outcome = failures.length === 0 ? { state: 'completed' as const } : { state: 'failed' as const, error: summarize(failures) };
  await tier.store.transact((state) => {
    const jobs = state.jobs.map((each) => (each.id === job.id ? { ...each, ...seen, ...done, ...outcome } : each));
    return { state: { ...state, jobs }, result: undefined };
  });
}

/** @returns why the file could not be recalled; undefined where it is hot now */
async function tryRecall(tier: Tier, job: JobRecord, path: string, pace: (bytes: number) => Promise<void>): Promise<string | undefined> {
  try {
    const options = { temporaryName: `${INCOMING_PREFIX}${job.id}`, bytesPerSecond: job.bytesPerSecond, pace };
    const recalled = await recallFile(tier.config, path, options);
    switch (recalled) {
      case 'recalled':
      case 'already hot':
        return undefined;
      case 'differs':
        return `${path}: the tier has another file under this name, which a recall never replaces; move it away`;
      case 'gone':
        return `${path}: the origin lost or changed it while it was copied`;
    }
  } catch (error) {
    if (tier.stopping.aborted) throw error;
    return `${path}: ${error instanceof ApiError ? error.message : (errnoOf(error) ?? 'unexpected failure')}`;
  }
}

function summarize(failures: readonly string[]): string {
  const [first = '', ...others] = failures;
  return others.length === 0 ? first : `${failures.length} files failed, the first: ${first}`;
}
