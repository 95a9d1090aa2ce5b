/** Copies objects of the erasure set to that of another site, page by page; what lies there already with equal content is success. */
import { continueAsNew, defineQuery, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { OpenedReplication, ReplicationActivities } from '../activities/replication.ts';
import { DATA_QUEUE } from '../model/identifiers.ts';
import { queryNames } from '../model/messages.ts';
import { formatBytes } from '../model/quantity.ts';
import {
  addReplications,
  noReplication,
  type ReplicateRequest,
  ReplicateRequestSchema,
  type ReplicationCounts,
  replicateWorkflowId,
} from '../model/replication.ts';
import { accept, requireWorkflowId } from './accept.ts';
import { failureOf } from './failures.ts';
import { EVENTS_PER_RUN, historyIsFull, throwIfCancelled } from './moving.ts';
import { activities } from './presets.ts';

/** Carried into the next run of the same copying: counts, at most 20 failures, a key. */
export interface ReplicationRecord {
  readonly opened: OpenedReplication;
  counts: ReplicationCounts;
  /** The last key of the part before; absent before the first part. */
  after?: string;
}

const status = defineQuery<ReplicationCounts>(queryNames.status);

/** @param input see ReplicateRequestSchema */
export async function replicate(input: unknown, carried?: ReplicationRecord): Promise<ReplicationCounts> {
  const request = accept(ReplicateRequestSchema, input);
  requireWorkflowId(replicateWorkflowId(request));
  let record = carried && workflowInfo().continuedFromExecutionRunId ? carried : undefined;
  setHandler(status, () => record?.counts ?? noReplication);
  try {
    record ??= { opened: await open(request), counts: noReplication };
    if (await copyAll(request, record)) return record.counts;
    throwIfCancelled();
  } catch (error) {
    throw failureOf(error);
  }
  return await continueAsNew<typeof replicate>(input, record);
}

/** Few calls before many bytes: what is refused is refused at once. */
const open = ({ to, within }: ReplicateRequest): Promise<OpenedReplication> =>
  activities<ReplicationActivities>('control', { queue: DATA_QUEUE, summary: `whether copies may go to ${to}` }).openReplication({ to, ...allowed(within) });

/** @returns false where the history is full and a new run has to go on */
async function copyAll(request: ReplicateRequest, record: ReplicationRecord): Promise<boolean> {
  const { to, prefix, verify, within } = request;
  const { heartbeatSeconds, eventsPerRun } = record.opened;
  show(request, record);
  do {
    if (historyIsFull(Math.min(EVENTS_PER_RUN, eventsPerRun))) return false;
    const summary = `copy ${prefix || 'everything'} to ${to}${record.after === undefined ? '' : `, after ${record.after}`}`;
    const { after, ...counts } = await activities<ReplicationActivities>('bulk', { queue: DATA_QUEUE, heartbeatSeconds, summary }).replicatePart({
      ...{ to, prefix, verify },
      ...allowed(within),
      ...(record.after === undefined ? {} : { after: record.after }),
    });
    record.counts = addReplications(record.counts, counts);
    if (after === undefined) delete record.after;
    else record.after = after;
    show(request, record);
  } while (record.after !== undefined);
  return true;
}

const allowed = (within: ReplicateRequest['within']) => (within === undefined ? {} : { within });

function show({ to, prefix }: ReplicateRequest, { counts, after }: ReplicationRecord): void {
  const { copied, existed, mended, bytes, leastMargin, notCopied, notCopiedCount } = counts;
  setCurrentDetails(
    [
      `**${copied} copied to ${to}**, ${existed} were there${mended ? ` (${mended} mended)` : ''}, ${formatBytes(bytes)} in all`,
      '',
      `- objects under ${JSON.stringify(prefix)}${after === undefined ? '' : `, up to ${JSON.stringify(after)}`}`,
      ...(leastMargin === undefined ? [] : [`- every copy may lose ${leastMargin} racks`]),
      `- ${notCopiedCount} not copied`,
      ...notCopied.slice(0, 5).map(({ key, type, message }) => `  - ${JSON.stringify(key)}: ${type}: ${JSON.stringify(message)}`),
    ].join('\n'),
  );
}
