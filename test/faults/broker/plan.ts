/** What holders, messages and the broker of a fabric meet; all of it follows from the seed. */
import { bandwidthClasses } from '../../../model/broker.ts';
import { CAPACITY, LEASE_MS, type Step } from '../../support/broker-crowd.ts';
import { drawsOf } from '../../support/fault-proxy-random.ts';
import type { FaultPlan } from '../harness/suite.ts';

/** What a crowd cannot do by itself: a holder falls silent for good, the broker goes on in a new run, its worker is killed and reads the history again. */
export type Act = Step['act'] | 'die' | 'continue' | 'replay';

/** By each fault the acts that come with it, beside the usual ones; the more often named the more often drawn. */
const acts = {
  'holders die': ['die', 'die', 'tick'],
  'renewals are late': ['late', 'repeat', 'repeat'],
  'released twice': ['release', 'release', 'stale'],
  'continued as new': ['continue', 'continue', 'late', 'repeat'],
  'worker killed': ['replay', 'repeat'],
  'broker ended': ['kill', 'late', 'die'],
  'fabric paused': ['pause', 'resume', 'die'],
  'fabric resized': ['resize', 'continue'],
  'all at once': ['die', 'late', 'repeat', 'release', 'stale', 'continue', 'replay', 'kill', 'pause', 'resume', 'resume', 'resize'],
} as const satisfies Readonly<Record<string, readonly Act[]>>;
const usual: readonly Act[] = ['reserve', 'reserve', 'renew', 'renew', 'renew', 'release'];
const TENANTS = ['acme', 'globex', 'initech'];

type BrokerFault = keyof typeof acts;
export const brokerFaultNames: readonly BrokerFault[] = [
  'holders die',
  'renewals are late',
  'released twice',
  'continued as new',
  'worker killed',
  'broker ended',
  'fabric paused',
  'fabric resized',
  'all at once',
];

export interface BrokerPlan extends FaultPlan {
  readonly seed: number;
  readonly fault: BrokerFault;
  readonly steps: number;
}

export function brokerPlanOf(seed: number): BrokerPlan {
  const [which, steps] = drawsOf('broker', seed);
  return { seed, fault: pick(brokerFaultNames, which), steps: 40 + Math.floor(steps * 120) };
}

export interface BrokerStep extends Omit<Step, 'act'> {
  readonly act: Act;
}

export function stepOf({ seed, fault }: BrokerPlan, index: number): BrokerStep {
  const [isFault, which, who, after, isLong, lost] = drawsOf('step', seed, index);
  const isLossy = fault === 'renewals are late' || fault === 'all at once';
  return {
    act: pick(isFault < 0.3 ? acts[fault] : usual, which),
    who: Math.floor(who * 1000),
    // Mostly so that a holder keeps its lease, now and then so that it may have lost it.
    afterMs: Math.floor(after * (isLong < 0.06 ? 2 * LEASE_MS : LEASE_MS / 8)),
    isLost: isLossy && lost < 0.25,
    wish: wishOf(seed, index),
  };
}

function wishOf(seed: number, index: number): Step['wish'] {
  const [kind, tenant, bytes, least, most, risk, deadline, has] = drawsOf('wish', seed, index);
  return {
    class: pick(bandwidthClasses, kind),
    tenant: pick(TENANTS, tenant),
    bytes: 1 + Math.floor(bytes * 50 * CAPACITY),
    atRiskSeconds: Math.floor(risk * 7200),
    ...(has < 0.3 ? { leastUsefulRate: 1 + Math.floor((least * CAPACITY) / 80) } : {}),
    ...(has > 0.7 ? { mostUsefulRate: Math.floor(CAPACITY / 40 + most * CAPACITY) } : {}),
    ...(has > 0.4 && has < 0.6 ? { deadlineMs: 100_000 + Math.floor(deadline * 900_000) } : {}),
  };
}

function pick<T>(from: readonly T[], draw: number): T {
  const [first] = from;
  const drawn = from[Math.floor(draw * from.length)] ?? first;
  if (drawn === undefined) throw new RangeError('nothing to draw from');
  return drawn;
}
