/** A store that does not answer is a store that failed: nothing waits longer than this. Timers, not the clock, so that a stepped clock changes nothing. */
import { PenstockError } from '../../model/errors.ts';
import type { CheckpointSink } from './sink.ts';

export interface Deadlined extends CheckpointSink {
  /** Whether the store may still read from the block. */
  isHolding(block: Buffer): boolean;
}

export function withDeadline(sink: CheckpointSink, stallSeconds: number): Deadlined {
  const held = new Map<Buffer, number>();
  const count = (block: Buffer, change: 1 | -1): void => {
    const users = (held.get(block) ?? 0) + change;
    if (users > 0) held.set(block, users);
    else held.delete(block);
  };
  const limited = <T>(what: string, answer: Promise<T>): Promise<T> => {
    const { promise, reject } = Promise.withResolvers<never>();
    const silent = new PenstockError('StoreUnavailable', `no answer for ${stallSeconds} s to ${what}.`, {
      store: sink.name,
      nextStep: 'Look at its device and at the path to it.',
    });
    const timer = setTimeout(() => reject(silent), stallSeconds * 1000);
    return Promise.race([answer, promise]).finally(() => clearTimeout(timer));
  };
  return {
    ...sink,
    isHolding: (block) => held.has(block),
    write(chunk) {
      count(chunk.block, 1);
      const written = sink.write(chunk);
      const release = (): void => count(chunk.block, -1);
      written.then(release, release);
      return limited(`a chunk of ${chunk.path}`, written);
    },
    publish: (record) => limited('the commit record', sink.publish(record)),
    retract: () => limited('the removal of the commit record', sink.retract()),
    // What hangs cannot be closed; it goes with the process.
    close: () => (held.size > 0 ? Promise.resolve() : sink.close()),
  };
}
