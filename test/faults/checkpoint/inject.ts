/** Faults, put between the writer and its stores. */
import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { CheckpointSink } from '../../../datapath/checkpoint/sink.ts';
import { PenstockError } from '../../../model/errors.ts';
import type { WriteOptions } from '../../support/checkpoint-places.ts';
import { drawsOf } from '../../support/fault-proxy-random.ts';
import { type CheckpointPlan, isReached } from './plan.ts';

/** Once it is down nothing begins and nothing is answered, as in a process that was killed. */
export interface Gate {
  readonly down: Promise<'down'>;
  crash(): void;
  /** What had begun has landed: the kernel finishes what it was handed. */
  landed(): Promise<unknown>;
  through(sink: CheckpointSink): CheckpointSink;
}

/** @param at it goes down at this step: one before, one after each durable effect */
export function createGate(at: number): Gate {
  const { promise: down, resolve } = Promise.withResolvers<'down'>();
  const underWay = new Set<Promise<unknown>>();
  let steps = 0;
  let isDown = false;
  const crash = (): void => {
    isDown = true;
    resolve('down');
  };
  const step = async (): Promise<void> => {
    if (steps++ === at) crash();
    if (isDown) await new Promise(() => undefined);
  };
  async function pass<T>(effect: () => Promise<T>): Promise<T> {
    await step();
    const work = effect();
    underWay.add(work);
    const forget = (): void => void underWay.delete(work);
    work.then(forget, forget);
    const result = await work;
    await step();
    return result;
  }
  return {
    down,
    crash,
    landed: () => Promise.race([Promise.allSettled(underWay), turns(50)]),
    through: (sink) => ({
      ...sink,
      write: (chunk) => pass(() => sink.write(chunk)),
      publish: (record) => pass(() => sink.publish(record)),
      retract: () => pass(() => sink.retract()),
    }),
  };
}

/** What the simulated ring had under way when it was cut never settles. */
async function turns(count: number): Promise<void> {
  for (let each = 0; each < count; each += 1) await turn();
}

/** So short that hundreds of runs fit a minute. What is lost by it where the machine is slow fails as a rack that is gone does. */
const STALL_SECONDS = 0.4;

/** The writer's options under a plan's faults. */
export function faultsOf(plan: CheckpointPlan, gate: Gate): WriteOptions {
  const through = (change: (sink: CheckpointSink) => CheckpointSink) => (sink: CheckpointSink) => gate.through(change(sink));
  const same = (sink: CheckpointSink): CheckpointSink => sink;
  const { changeRack = same, changeRing = same, stallSeconds } = changesOf(plan);
  return {
    policy: plan.policy,
    depth: plan.depth,
    changeRack: through(changeRack),
    changeRing: through(changeRing),
    changeGlobal: through(same),
    ...(stallSeconds === undefined ? {} : { stallSeconds }),
  };
}

function changesOf(plan: CheckpointPlan): WriteOptions {
  const { seed, fault, at } = plan;
  switch (fault) {
    case 'ring-fails':
      return {
        changeRing: (sink) => from(at, sink, () => Promise.reject(new PenstockError('IoError', 'the SSD failed.', { store: sink.name }))),
        changeRack: (sink) => slow(seed, sink),
      };
    case 'rack-gone':
      if (!isReached(plan)) return {};
      return { stallSeconds: STALL_SECONDS, changeRack: (sink) => from(at, sink, () => new Promise(() => undefined)) };
    case 'slow-rack':
      return { changeRack: (sink) => slow(seed, sink) };
    case 'slow-ring':
      return { changeRing: (sink) => slow(seed, sink) };
    case 'clock-steps':
      return { changeRack: (sink) => stepping(seed, sink) };
    case 'none':
    case 'kill':
    case 'power-cut':
    case 'kill-process':
    case 'ring-full':
    case 'rack-full':
    case 'bit-rot':
      return {};
  }
}

/** The n-th write and all behind it, of chunks and of the record. */
function from(at: number, sink: CheckpointSink, fail: () => Promise<never>): CheckpointSink {
  let writes = 0;
  const isBehind = (): boolean => writes++ >= at;
  return { ...sink, write: (chunk) => (isBehind() ? fail() : sink.write(chunk)), publish: (record) => (isBehind() ? fail() : sink.publish(record)) };
}

const MOST_TURNS = 30;

function slow(seed: number, sink: CheckpointSink): CheckpointSink {
  return {
    ...sink,
    async write(chunk) {
      await turns(Math.floor(drawsOf('slow', seed, chunk.index)[0] * MOST_TURNS));
      await sink.write(chunk);
    },
  };
}

const TEN_YEARS_MS = 10 * 365.25 * 86_400_000;

/** Forward and back by up to ten years at each chunk; {@link endFaults} sets it right. */
function stepping(seed: number, sink: CheckpointSink): CheckpointSink {
  const now = Date.now();
  mock.timers.enable({ apis: ['Date'], now });
  return {
    ...sink,
    async write(chunk) {
      mock.timers.setTime(Math.max(0, now + Math.floor((drawsOf('clock', seed, chunk.index)[0] * 2 - 1) * TEN_YEARS_MS)));
      await sink.write(chunk);
    },
  };
}

export const endFaults = (): void => mock.timers.reset();
