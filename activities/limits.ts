/** Limits in bytes per second: their records, and the movers' watch over them. */
import { type AdjustableLimiter, createFairLimiter, createRateLimiter, type FairLimiter, type RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import type { Stores } from '../drivers/open-site.ts';
import { absent } from '../model/errors.ts';
import { LimitRecordSchema, type SetStoreLimit, STORE_LIMITS_PREFIX, type StoreLimits, storeLimitKey, transferLimitKey } from '../model/limits.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import type { MoveRequest } from '../model/transfer.ts';
import { effect } from './effect.ts';
import { knownStore } from './places.ts';
import { writeJson } from './system-records.ts';

/** A change is felt within so long, and by what is under way. */
const WATCH_MS = 2000;

export type LimitActivities = ReturnType<typeof createLimitActivities>;

export interface SetTransferLimit {
  readonly transferId: string;
  /** Null takes it away. */
  readonly bytesPerSecond: number | null;
}

export function createLimitActivities(stores: Stores) {
  return {
    /** InvalidInput where the site has no such store. */
    setStoreLimit: ({ store, bytesPerSecond }: SetStoreLimit): Promise<void> =>
      effect(() => writeLimit(stores, storeLimitKey(knownStore(stores, store)), bytesPerSecond)),

    setTransferLimit: ({ transferId, bytesPerSecond }: SetTransferLimit): Promise<void> =>
      effect(() => writeLimit(stores, transferLimitKey(transferId), bytesPerSecond)),

    /** As they are on record; what is no store of the site is left out. */
    readStoreLimits: (): Promise<StoreLimits> =>
      effect(async () => {
        await stores.warm.ensureBucket(SYSTEM_BUCKET);
        const { entries } = await stores.warm.list(SYSTEM_BUCKET, STORE_LIMITS_PREFIX);
        const limits: Record<string, number> = {};
        for (const { key } of entries) {
          const rate = await readRate(stores, key);
          if (rate !== Infinity) limits[key.slice(STORE_LIMITS_PREFIX.length, -'.json'.length)] = rate;
        }
        return limits;
      }),
  };
}

export async function writeLimit({ warm }: Stores, key: string, bytesPerSecond: number | null): Promise<void> {
  if (bytesPerSecond === null) return await warm.remove(SYSTEM_BUCKET, key);
  await warm.ensureBucket(SYSTEM_BUCKET);
  await writeJson(warm, key, { bytesPerSecond });
}

/** Infinity where there is no limit. */
async function readRate({ warm }: Stores, key: string): Promise<number> {
  const body = await warm.readBytes(SYSTEM_BUCKET, key).catch(absent);
  return body ? LimitRecordSchema.parse(JSON.parse(body.toString('utf8'))).bytesPerSecond : Infinity;
}

/** Say `done` when it is not needed any more. */
export interface FollowedLimit {
  readonly limiter: RateLimiter;
  done(): void;
}

export interface LimitWatch {
  /** Of one record, shared evenly by so many lanes. */
  limiterAt(key: string, lanes: number): Promise<FollowedLimit>;
  /** What a unit's bytes have to pass: the transfer's limit, those of both stores, and staging's share. */
  limiterFor(request: Pick<MoveRequest, 'manifest' | 'source' | 'target' | 'limit' | 'lane'>): Promise<FollowedLimit>;
}

interface Watched {
  readonly limiter: FairLimiter;
  /** Who follows it; each lane of a transfer takes its part. */
  users: number;
  recorded: number;
  /** Settles when the record has been read for the first time. */
  read: Promise<void>;
  readonly shares: Set<{ readonly limiter: AdjustableLimiter; readonly lanes: number }>;
}

/** One for a process: its limits hold for all that moves there, and nothing is read while nothing moves. */
export function createLimitWatch(stores: Stores): LimitWatch {
  const { hot } = stores.site.stores;
  const staging = createFairLimiter(Math.floor(hot.bandwidth.write * stores.site.policies.stagingShare));
  const watched = new Map<string, Watched>();
  let timer: NodeJS.Timeout | undefined;

  const apply = (each: Watched, rate: number): void => {
    if (rate === each.recorded) return;
    each.recorded = rate;
    each.limiter.setRate(rate);
    for (const { limiter, lanes } of each.shares) limiter.setRate(rate / lanes);
  };
  const look = async (): Promise<void> => {
    // A record that cannot be read now is read next time; until then the last word holds.
    await Promise.all([...watched].map(async ([key, each]) => apply(each, await readRate(stores, key).catch(() => each.recorded))));
  };
  const follow = async (key: string): Promise<Watched> => {
    const each = watched.get(key) ?? { limiter: createFairLimiter(Infinity), users: 0, recorded: Infinity, read: Promise.resolve(), shares: new Set() };
    each.users += 1;
    if (each.users === 1) {
      watched.set(key, each);
      each.read = readRate(stores, key).then((rate) => apply(each, rate));
    }
    timer ??= setInterval(() => void look(), WATCH_MS).unref();
    await each.read;
    return each;
  };
  const leave = (key: string): void => {
    const each = watched.get(key);
    if (!each) return;
    each.users -= 1;
    if (each.users === 0) watched.delete(key);
    if (watched.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  const shareOf = async (key: string, lanes: number, left: (() => void)[]): Promise<RateLimiter> => {
    left.push(() => leave(key));
    const own = await follow(key);
    const share = { limiter: createRateLimiter(own.recorded / lanes), lanes };
    own.shares.add(share);
    left.push(() => own.shares.delete(share));
    return share.limiter;
  };

  return {
    limiterAt: (key, lanes) => untilDone((left) => shareOf(key, lanes, left)),

    limiterFor: ({ manifest, source, target, limit, lane }) =>
      untilDone(async (left) => {
        const turn = limit?.transferId ?? manifest.prefix;
        const members: RateLimiter[] = [];
        if (limit) members.push(await shareOf(transferLimitKey(limit.transferId), limit.lanes, left));
        for (const key of new Set([storeLimitKey(source.store), storeLimitKey(target.store)])) {
          left.push(() => leave(key));
          members.push((await follow(key)).limiter.queue(turn));
        }
        if (lane === 'staging') members.push(staging.queue(turn));
        return inTurn(members);
      }),
  };
}

/** What was followed for a limiter is left when its user is done, or where not all of it could be had. */
async function untilDone(limiterOf: (left: (() => void)[]) => Promise<RateLimiter>): Promise<FollowedLimit> {
  const left: (() => void)[] = [];
  const done = (): void => {
    for (const leaveOne of left.splice(0)) leaveOne();
  };
  try {
    return { limiter: await limiterOf(left), done };
  } catch (error) {
    done();
    throw error;
  }
}

/** One after the other: bytes pass when all of them let them. */
export function inTurn(members: readonly RateLimiter[]): RateLimiter {
  return {
    async take(bytes, signal) {
      for (const member of members) await member.take(bytes, signal);
    },
    rate: () => Math.min(Infinity, ...members.map((member) => member.rate())),
  };
}
