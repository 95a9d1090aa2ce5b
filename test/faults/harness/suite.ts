/** What a suite of faults is to the harness. A run is: faults on, faults off, verify what was acknowledged, end within a bound. */

/** What follows from a seed, as it is printed: a run can be had again from it. */
export type FaultPlan = Readonly<Record<string, string | number | boolean | readonly number[]>> & { readonly fault: string };

export interface FaultSuite<Plan extends FaultPlan = FaultPlan> {
  readonly name: string;
  readonly summary: string;
  plan(seed: number): Plan;
  /** @returns how it ended, in a word. @throws where a promise was broken */
  run(plan: Plan): Promise<string>;
}

export interface FaultFailure {
  readonly seed: number;
  readonly plan: FaultPlan;
  readonly message: string;
}
export interface FaultReport {
  readonly suite: string;
  readonly seed: number;
  readonly runs: number;
  readonly seconds: number;
  /** `fault: end` to how many runs. */
  readonly ends: Readonly<Record<string, number>>;
  readonly failures: readonly FaultFailure[];
}
