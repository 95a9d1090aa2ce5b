/** Waits for conditions, never for time: fails with the last thing seen when the limit passes. */
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../model/errors.ts';

const POLL_MS = 20;

/** @param check answers the value when the condition holds, else undefined; its errors count as not yet */
export async function eventually<T>(what: string, check: () => Promise<T | undefined> | T | undefined, limitMs = 60_000): Promise<T> {
  const endsAt = Date.now() + limitMs;
  let seen: unknown = 'nothing';
  for (;;) {
    try {
      const value = await check();
      if (value !== undefined) return value;
      seen = 'not yet';
    } catch (error) {
      seen = error;
    }
    if (Date.now() > endsAt) throw new Error(`waited ${limitMs} ms for ${what}; last seen: ${messageOf(seen)}`, { cause: seen });
    await pause(POLL_MS);
  }
}
