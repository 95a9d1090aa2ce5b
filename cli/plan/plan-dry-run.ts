/** The dry run: the schemas and the planner that admission uses, then the stores' own answers where the site is up. */
import { planAllocation } from '../../activities/admission.ts';
import type { Stores } from '../../drivers/open-site.ts';
import { AllocationRequestSchema } from '../../model/allocation.ts';
import { isType } from '../../model/errors.ts';
import { formatIssues, parseInput } from '../../model/issues.ts';
import type { Site } from '../../model/site.ts';
import type { DryRun, Finding } from './dry-run.ts';
import { sourceRefusals, waits } from './findings.ts';
import { planSteps } from './steps.ts';
import { surveyStores } from './survey.ts';

export interface DryRunInput {
  /** Parsed YAML or JSON, not yet held to the schema. */
  readonly declaration: unknown;
  readonly site: Site;
  /** Absent: offline, so without sizes. */
  readonly stores?: Stores;
  readonly now: Date;
}

export async function planDryRun({ declaration, site, stores, now }: DryRunInput): Promise<DryRun> {
  const parsed = parseInput(AllocationRequestSchema, declaration);
  if (!parsed.ok)
    return refused(
      'unknown',
      parsed.issues.map((issue) => ({ type: 'InvalidInput', message: formatIssues([issue]) })),
    );
  const request = parsed.value;
  const allocation = `${request.tenant}/${request.project}/${request.allocationId}`;
  try {
    const plan = planAllocation(request, site, now);
    const survey = stores && (await surveyStores(stores, plan.data.mounts));
    const refusals = survey ? sourceRefusals(plan.data.mounts, survey) : [];
    return {
      allocation,
      accepted: refusals.length === 0,
      measured: survey !== undefined,
      refusals,
      waits: survey ? waits(plan.data.mounts, survey) : [],
      steps: planSteps({ request, plan, site, survey, now }),
    };
  } catch (error) {
    if (!isType(error, 'InvalidInput')) throw error;
    return refused(allocation, [...error.message.split('\n').map((message) => ({ type: error.type, message }))]);
  }
}

const refused = (allocation: string, refusals: readonly Finding[]): DryRun => ({
  allocation,
  accepted: false,
  measured: false,
  refusals,
  waits: [],
  steps: [],
});
