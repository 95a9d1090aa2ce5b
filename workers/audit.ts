/** Every activity that is an operation on data goes on record before it begins and behind its end, here and nowhere else. */
import { hostname } from 'node:os';
import type { Context } from '@temporalio/activity';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { onRecord } from '../activities/audit-entry.ts';
import { type OnSpoolState, openMachineRecorder } from '../activities/audit-spool.ts';
import { toFailure } from '../activities/effect.ts';
import type { Stores } from '../drivers/open-site.ts';
import { whileLogIsOut } from '../model/audit-outage.ts';
import { operationOf } from './audit-operations.ts';
import type { Role } from './roles.ts';

/** For a worker's `interceptors`; none where the site keeps no audit log. */
export async function auditInterceptors(stores: Stores, role: Role, onState: OnSpoolState): Promise<{ readonly activity: ActivityInterceptorsFactory[] }> {
  const { audit } = stores.site;
  if (!audit) return { activity: [] };
  const actor = `worker ${role} ${hostname()} ${process.pid}`;
  const recorder = await openMachineRecorder(stores, audit, { actor, onState });
  return {
    activity: [
      ({ info }: Context) => ({
        inbound: {
          async execute(input, next) {
            const { activityType, activityId, attempt, workflowExecution } = info;
            const { workflowId, runId } = workflowExecution ?? {};
            const facts = operationOf(activityType, input.args[0], workflowId);
            if (!facts) return await next(input);
            const act = {
              ...facts,
              actor,
              activity: activityType,
              activityId,
              workflowId,
              runId,
              attempt,
              identity: [workflowId ?? '', runId ?? '', activityId, attempt],
            };
            try {
              return await onRecord(recorder, act, whileLogIsOut(facts, audit.sensitiveTenants), () => next(input));
            } catch (error) {
              throw toFailure(error);
            }
          },
        },
      }),
    ],
  };
}
