/** A probe tries an ability and looks at its effect; a status code alone proves nothing. */

export interface ProbeResult {
  /** The store's name in the site file, or the rack, node or service. */
  readonly store: string;
  readonly ability: string;
  /** unknown: it cannot be told from here, such as a path that only another machine sees. */
  readonly works: 'yes' | 'no' | 'unknown';
  /** Whether the site's policies cannot be kept without it. */
  readonly isNeeded: boolean;
  /** What was seen. */
  readonly evidence: string;
  /** Results that may be told together where they are alike, such as "racks". */
  readonly group?: string;
}

/** The effect cannot be looked at from here. */
export class CannotTell extends Error {}

/** Longer than a store takes that is merely slow; a probe that hangs must not hold the others. */
const PROBE_LIMIT_MS = 30_000;

export interface Prober {
  /** `attempt` answers the evidence; what it throws is the evidence that the ability is not there. */
  needed(ability: string, attempt: () => Promise<string>): Promise<void>;
  optional(ability: string, attempt: () => Promise<string>): Promise<void>;
  readonly results: readonly ProbeResult[];
}

export function createProber(store: string, group?: string): Prober {
  const results: ProbeResult[] = [];
  const probe = async (ability: string, isNeeded: boolean, attempt: () => Promise<string>): Promise<void> => {
    const common = { store, ability, isNeeded, ...(group === undefined ? {} : { group }) };
    try {
      results.push({ ...common, works: 'yes', evidence: await withinLimit(attempt()) });
    } catch (error) {
      results.push({ ...common, works: error instanceof CannotTell ? 'unknown' : 'no', evidence: firstLine(error) });
    }
  };
  return {
    needed: (ability, attempt) => probe(ability, true, attempt),
    optional: (ability, attempt) => probe(ability, false, attempt),
    results,
  };
}

/** The attempt must fail, and what it failed with is looked at. @throws where it succeeds */
export async function refusalOf(attempt: () => Promise<unknown>, whatHappened: string): Promise<unknown> {
  try {
    await attempt();
  } catch (error) {
    return error;
  }
  throw new Error(whatHappened);
}

export function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}

async function withinLimit<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${PROBE_LIMIT_MS / 1000} s`)), PROBE_LIMIT_MS);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return (text.split('\n')[0] ?? '').slice(0, 200);
}
