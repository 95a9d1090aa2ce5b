/** What comes from outside, held to its schema. Validators call it before history is written, handlers again for the parsed value. */
import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
import type * as z from 'zod';
import { formatIssues, parseInput } from '../model/issues.ts';

/** @throws ApplicationFailure InvalidInput naming field, value and what would be accepted */
export function accept<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const parsed = parseInput(schema, input);
  if (parsed.ok) return parsed.value;
  throw ApplicationFailure.nonRetryable(formatIssues(parsed.issues), 'InvalidInput', parsed.issues);
}

/** @throws ApplicationFailure InvalidInput where another id was chosen: starting twice must attach instead of running twice */
export function requireWorkflowId(expected: string, starting: 'starting' | 'submitting' = 'starting'): void {
  const { workflowId } = workflowInfo();
  if (workflowId === expected) return;
  throw ApplicationFailure.nonRetryable(
    `workflow id: found ${workflowId}; accepted: ${expected}, so that ${starting} twice attaches instead of running twice`,
    'InvalidInput',
  );
}
