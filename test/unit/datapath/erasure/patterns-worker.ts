/**
 * The thread of patterns.test.ts: reads one object with so many of its racks lost, in every way. Beside the test runner, whose watch over every promise would be most
 * of the work.
 */
import { parentPort, workerData } from 'node:worker_threads';
import * as z from 'zod';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { combinations, type MemoryRack, memorySite, noise, read, write } from './support.ts';

export interface PatternReport {
  readonly patterns: number;
  /** How often each ended: `read`, or the error's type. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** What must not be: other bytes, an error that does not name all lost racks. */
  readonly wrong: readonly string[];
}

/** A quarter of the work: a lost rack refuses each of some hundred thousand calls, and nobody looks where. */
Error.stackTraceLimit = 0;

const KEY = 'tenant/project/a1/checkpoints/c1/model.bin';
const RACKS = 18;
const { from, to } = z.object({ from: z.number(), to: z.number() }).parse(workerData);
const data = noise(900);
const racks = memorySite(RACKS);
await write(racks, KEY, data);
const quickRacks = racks.map(quick);
const goneRacks = racks.map(gone);
parentPort?.postMessage(await tryAll());

async function tryAll(): Promise<PatternReport> {
  const outcomes: Record<string, number> = {};
  const wrong: string[] = [];
  let patterns = 0;
  for (let count = from; count <= to; count++) {
    for (const lost of combinations(RACKS, count)) {
      patterns++;
      const { outcome, problem } = await tryOne(lost);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      if (problem !== undefined) wrong.push(`without ${lost.join()}: ${problem}`);
    }
  }
  return { patterns, outcomes, wrong };
}

async function tryOne(lost: readonly number[]): Promise<{ outcome: string; problem?: string }> {
  try {
    const content = await read(
      racks.flatMap((_, index) => (lost.includes(index) ? goneRacks : quickRacks)[index] ?? []),
      KEY,
    );
    return { outcome: 'read', ...(content.equals(data) ? {} : { problem: 'other bytes' }) };
  } catch (error) {
    if (!(error instanceof PenstockError)) return { outcome: 'other', problem: String(error) };
    const unnamed = lost.filter((index) => !new RegExp(`\\b${racks[index]?.id}\\b`).test(error.message));
    return { outcome: error.type, ...(unnamed.length === 0 ? {} : { problem: `${unnamed.join()} not named in: ${error.message}` }) };
  }
}

/** What these racks answer, they answer at once. */
function quick(rack: MemoryRack): RackStore {
  const { objects } = rack;
  return {
    ...rack,
    readManifest: async (key) => objects.get(key),
    list: async (prefix) => ({ keys: [...objects.keys()].filter((key) => key.startsWith(prefix)), next: undefined }),
    shardBytes: async (key) => objects.get(key)?.length,
    readInto: async (key, into, { start = 0 } = {}) => {
      const body = objects.get(key);
      if (!body) throw new PenstockError('NotFound', `${key} is not there.`, { store: rack.id });
      return { bytes: body.copy(into, 0, start), totalBytes: body.length };
    },
  };
}

function gone(rack: MemoryRack): RackStore {
  const refuse = () => Promise.reject(new PenstockError('StoreUnavailable', 'the rack is down.', { store: rack.id }));
  return { ...rack, readManifest: refuse, list: refuse, shardBytes: refuse, readInto: refuse };
}
