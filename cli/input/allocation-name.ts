/** An allocation as people name it: `tenant/project/allocationId`, or the file it was submitted from. */
import * as z from 'zod';
import { type AllocationKey, IdentifierSchema, TenantSchema } from '../../model/identifiers.ts';
import { formatIssues, parseInput } from '../../model/issues.ts';
import { CliError } from '../cli-error.ts';
import { readDocument } from './document.ts';

const KeySchema = z.object({ tenant: TenantSchema, project: IdentifierSchema, allocationId: IdentifierSchema });

export const ALLOCATION_EXPECTED = 'tenant/project/allocationId, or the file it was submitted from (*.yaml, *.yml, *.json)';

/** @throws CliError usage */
export async function resolveAllocation(name: string): Promise<AllocationKey> {
  const parsed = parseInput(KeySchema, isFile(name) ? await readDocument(name) : splitName(name));
  if (parsed.ok) return parsed.value;
  throw new CliError(
    'usage',
    isFile(name)
      ? `${name}:\n${formatIssues(parsed.issues)}`
      : `found ${JSON.stringify(name)}; accepted: ${ALLOCATION_EXPECTED}\n${formatIssues(parsed.issues)}`,
  );
}

/** The workflow id, as Temporal's UI shows it, is understood too. */
function splitName(name: string): unknown {
  const steps = name.replace(/^allocation\//, '').split('/');
  if (steps.length !== 3) throw new CliError('usage', `found ${JSON.stringify(name)}; accepted: ${ALLOCATION_EXPECTED}`);
  const [tenant, project, allocationId] = steps;
  return { tenant, project, allocationId };
}

const isFile = (name: string): boolean => name === '-' || /\.(ya?ml|json)$/i.test(name);

export const formatKey = (key: AllocationKey): string => `${key.tenant}/${key.project}/${key.allocationId}`;
