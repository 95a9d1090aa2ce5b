/** What a suite of faults is to the harness. A run is: faults on, faults off, verify what was acknowledged, end within a bound. */
import * as z from 'zod';

/** What follows from a seed, as it is printed: a run can be had again from it. */
export const FaultPlanSchema = z
  .object({ fault: z.string() })
  .catchall(z.union([z.string(), z.number(), z.boolean(), z.array(z.number()).readonly()]))
  .readonly();
export type FaultPlan = z.output<typeof FaultPlanSchema>;

export const FaultFailureSchema = z.strictObject({ seed: z.int(), plan: FaultPlanSchema, message: z.string() }).readonly();
export type FaultFailure = z.output<typeof FaultFailureSchema>;

export interface FaultSuite<Plan extends FaultPlan = FaultPlan> {
  readonly name: string;
  readonly summary: string;
  /** Side by side, each with every n-th seed; one where runs share a site. */
  readonly processes: number;
  /** A run that goes on for longer is not alive. */
  readonly runLimitSeconds: number;
  plan(seed: number): Plan;
  /** @returns how it ended, in a word. @throws where a promise was broken */
  run(plan: Plan): Promise<string>;
  /** After the last run of a process: what its runs shared. */
  end?(): Promise<void>;
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
