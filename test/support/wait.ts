/** Waits for conditions, never for time: fails with the last thing seen when the limit passes. */
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../model/errors.ts';

const LEAST_REST_MS = 20;
const MOST_REST_MS = 250;
/** A check has a twentieth of the time, once nothing came of it for a while. */
const RESTS_PER_CHECK = 20;
/** A moment that lasts for a tenth of the time before it is seen. */
const WAITED_PER_REST = 10;

/** @param check answers the value when the condition holds, else undefined; its errors count as not yet */
export async function eventually<T>(what: string, check: () => Promise<T | undefined> | T | undefined, limitMs = 60_000): Promise<T> {
  const beganAt = Date.now();
  const endsAt = beganAt + limitMs;
  let seen: unknown = 'nothing';
  for (;;) {
    const askedAt = Date.now();
    try {
      const value = await check();
      if (value !== undefined) return value;
      seen = 'not yet';
    } catch (error) {
      seen = error;
    }
    if (Date.now() > endsAt) throw new Error(`waited ${limitMs} ms for ${what}; last seen: ${messageOf(seen)}`, { cause: seen });
    await pause(restMs({ checkMs: Date.now() - askedAt, waitedMs: Date.now() - beganAt }));
  }
}

/**
 * Until the next check. One that asks a site keeps it from what is waited for: the longer it takes, and the longer nothing comes of it, the less often it is made;
 * one that costs nothing is made as often as at the beginning.
 */
export function restMs({ checkMs, waitedMs }: { readonly checkMs: number; readonly waitedMs: number }): number {
  return Math.max(LEAST_REST_MS, Math.min(RESTS_PER_CHECK * checkMs, waitedMs / WAITED_PER_REST, MOST_REST_MS));
}
