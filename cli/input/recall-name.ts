/** A recall as people name it: `tenant/project/allocationId/recallId`, or the workflow id as Temporal's UI shows it. */
import * as z from 'zod';
import { IdentifierSchema, TenantSchema } from '../../model/identifiers.ts';
import type { RecallKey } from '../../model/recall.ts';
import { CliError } from '../cli-error.ts';
import { acceptInput } from './accept.ts';

export const RECALL_EXPECTED = 'tenant/project/allocationId/recall, as `recall start` answered it';
const KeySchema = z.strictObject({ tenant: TenantSchema, project: IdentifierSchema, allocationId: IdentifierSchema, recallId: IdentifierSchema });

/** @throws CliError usage, InvalidInput */
export function recallKey(text: string): RecallKey {
  const steps = text.replace(/^recall\//, '').split('/');
  if (steps.length !== 4) throw new CliError('usage', `found ${JSON.stringify(text)}; accepted: ${RECALL_EXPECTED}`);
  const [tenant, project, allocationId, recallId] = steps;
  return acceptInput(KeySchema, { tenant, project, allocationId, recallId }, 'recall');
}
