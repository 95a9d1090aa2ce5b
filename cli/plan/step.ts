import type { PlanStep } from './dry-run.ts';

/** Makes steps of that phase. */
export const stepIn =
  (phase: PlanStep['phase']) =>
  (kind: PlanStep['kind'], action: string, subject: string, detail?: string): PlanStep => ({
    phase,
    kind,
    action,
    subject,
    ...(detail === undefined ? {} : { detail }),
  });
