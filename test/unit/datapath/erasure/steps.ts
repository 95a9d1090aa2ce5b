/** A process among racks that stops at a step: for good, or until it is let go on. Steps are calls that change something, counted over all racks. */
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { PenstockError } from '../../../../model/errors.ts';

export interface Steps {
  readonly racks: readonly RackStore[];
  /** Changing calls so far, as `r01 removes NAME`. */
  readonly taken: readonly string[];
  /** Resolves when the step is reached. */
  readonly reached: Promise<void>;
  /** Lets a process that sleeps go on. */
  wake(): void;
}

/**
 * At step `at` (from 0): `dies` before or after its effect, and no call of this process has one any more; `sleeps` before it, with all calls behind it, until woken.
 */
export function stopAt(racks: readonly RackStore[], at: number, how: 'dies before' | 'dies after' | 'sleeps'): Steps {
  const taken: string[] = [];
  const reached = Promise.withResolvers<void>();
  const woken = Promise.withResolvers<void>();
  let isOver = false;
  const gone = () => new PenstockError('StoreUnavailable', 'this process is dead.');
  async function pass<T>(what: string, isChange: boolean, call: () => Promise<T>): Promise<T> {
    if (isOver && how !== 'sleeps') throw gone();
    if (isOver) await woken.promise;
    if (!isChange) return await call();
    const isStop = taken.length === at;
    taken.push(what);
    if (!isStop) return await call();
    isOver = true;
    reached.resolve();
    if (how === 'sleeps') await woken.promise;
    if (how === 'dies before') throw gone();
    const result = await call();
    if (how === 'dies after') throw gone();
    return result;
  }
  const watched = racks.map((rack): RackStore => {
    const looks = <T>(call: () => Promise<T>): Promise<T> => pass('', false, call);
    const changes = <T>(what: string, call: () => Promise<T>): Promise<T> => pass(`${rack.id} ${what}`, true, call);
    const { removeIf } = rack;
    return {
      ...rack,
      freeBytes: (options) => looks(() => rack.freeBytes(options)),
      readInto: (key, into, options) => looks(() => rack.readInto(key, into, options)),
      shardBytes: (key, options) => looks(() => rack.shardBytes(key, options)),
      readManifest: (key, options) => looks(() => rack.readManifest(key, options)),
      list: (prefix, options) => looks(() => rack.list(prefix, options)),
      writeShard: (key, body, options) => changes(`writes ${key}`, () => rack.writeShard(key, body, options)),
      writeManifest: (key, body, options) => changes(`writes ${key}`, () => rack.writeManifest(key, body, options)),
      remove: (key, options) => changes(`removes ${key}`, () => rack.remove(key, options)),
      ...(removeIf ? { removeIf: (key, content, options) => changes(`removes ${key}`, () => removeIf(key, content, options)) } : {}),
    };
  });
  return { racks: watched, taken, reached: reached.promise, wake: woken.resolve };
}
