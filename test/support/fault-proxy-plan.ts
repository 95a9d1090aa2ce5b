/** Which fault a request meets: a pure function of the seed and of what the request is, not of when it arrives beside others. */
import { drawsOf } from './fault-proxy-random.ts';

/** Those that answer in the server's place; the request is not passed on. */
const answeringFaults = ['error500', 'slowDown', 'tooManyRequests'] as const;
export type AnsweringFault = (typeof answeringFaults)[number];

export type FaultKind =
  | AnsweringFault
  /** Passed on, late. */
  | 'delay'
  /** Never answered nor passed on, until calm or stop cuts the connection. */
  | 'stall'
  /** Reset instead of passed on. */
  | 'resetBefore'
  /** Reset when the server has answered in full: done, and nobody was told. */
  | 'resetAfter'
  /** Both sides reset in the middle of the request's body. */
  | 'resetInRequest'
  | 'resetInAnswer'
  /** The answer's body ends early, politely (FIN). */
  | 'truncateAnswer'
  | 'flipRequest'
  | 'flipAnswer';

export interface FaultPlan {
  /** Per request; all kinds together at most 1. */
  readonly probabilities?: Readonly<Partial<Record<FaultKind, number>>>;
  /** Asked before the probabilities; the first that matches decides. */
  readonly rules?: readonly FaultRule[];
  /** Longest delay. */
  readonly delayMs?: number;
}

export interface FaultRule {
  readonly fault: FaultKind;
  readonly method?: string;
  /** Matched against path and query. */
  readonly path?: RegExp;
  /** Only the n-th of the requests it matches, from 1, in order of arrival; absent: each. */
  readonly nth?: number;
  /** Where in a body, as a fraction; by the seed where absent. */
  readonly at?: number;
}

export interface WireRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly range?: string | undefined;
}

export interface Decision {
  /** Stable from run to run: method, path, query without server-given ids, range. */
  readonly identity: string;
  /** How many of that identity came so far, from 1. */
  readonly occurrence: number;
  readonly fault: FaultKind | undefined;
  /** 0 to below 1: where in a body. */
  readonly at: number;
  /** 0 to 7. */
  readonly bit: number;
  readonly delayMs: number;
  /** Whether an error of ours comes chunked. */
  readonly chunked: boolean;
}

const DEFAULT_DELAY_MS = 50;

export function createPlanner(seed: number, plan: FaultPlan): (request: WireRequest) => Decision {
  const total = Object.values(plan.probabilities ?? {}).reduce((sum, probability) => sum + probability, 0);
  if (total > 1) throw new RangeError(`the probabilities add up to ${total}, which is more than 1`);
  const seen = new Map<string, number>();
  const ruleMatches = new Map<FaultRule, number>();
  return (request) => {
    const identity = identityOf(request);
    const occurrence = (seen.get(identity) ?? 0) + 1;
    seen.set(identity, occurrence);
    const [choice, at, bit, delay, chunked] = drawsOf(seed, identity, occurrence);
    const rule = firstRule(plan.rules ?? [], request, ruleMatches);
    return {
      identity,
      occurrence,
      fault: rule ? rule.fault : choose(plan.probabilities ?? {}, choice),
      at: rule?.at ?? at,
      bit: Math.floor(bit * 8),
      delayMs: Math.ceil(delay * (plan.delayMs ?? DEFAULT_DELAY_MS)),
      chunked: chunked < 0.5,
    };
  };
}

/** Values a server makes up differ from run to run. */
const SERVER_GIVEN = /([?&](?:uploadId|continuation-token|upload-id-marker)=)[^&]*/g;

function identityOf({ method, path, range }: WireRequest): string {
  return `${method} ${path.replaceAll(SERVER_GIVEN, '$1*')}${range ? ` ${range}` : ''}`;
}

/** Every rule counts what it matches, also where an earlier one decides. */
function firstRule(rules: readonly FaultRule[], request: WireRequest, counts: Map<FaultRule, number>): FaultRule | undefined {
  return rules.filter((rule) => {
    if (rule.method !== undefined && rule.method !== request.method) return false;
    if (rule.path && !rule.path.test(request.path)) return false;
    const count = (counts.get(rule) ?? 0) + 1;
    counts.set(rule, count);
    return rule.nth === undefined || rule.nth === count;
  })[0];
}

function choose(probabilities: NonNullable<FaultPlan['probabilities']>, draw: number): FaultKind | undefined {
  let below = 0;
  for (const kind of faultKinds) {
    below += probabilities[kind] ?? 0;
    if (draw < below) return kind;
  }
  return undefined;
}

/** In a fixed order, or the same seed would mean other faults where a plan is written in another order. */
export const faultKinds: readonly FaultKind[] = [
  ...answeringFaults,
  'delay',
  'stall',
  'resetBefore',
  'resetAfter',
  'resetInRequest',
  'resetInAnswer',
  'truncateAnswer',
  'flipRequest',
  'flipAnswer',
];
