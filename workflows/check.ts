/** Holds a target to a manifest: what is missing, different, unreadable or beside it. Moves and mends nothing. */
import { continueAsNew, defineQuery, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { CheckActivities, OpenedCheck } from '../activities/check.ts';
import {
  addCheckAnswers,
  type CheckAnswer,
  type CheckProgress,
  type CheckReport,
  type CheckRequest,
  CheckRequestSchema,
  type CheckResult,
  checkWorkflowId,
  differences,
  nothingChecked,
  planCheck,
} from '../model/check.ts';
import { DATA_QUEUE } from '../model/identifiers.ts';
import { shortLocation } from '../model/location.ts';
import { queryNames } from '../model/messages.ts';
import { accept, requireWorkflowId } from './accept.ts';
import { failureOf } from './failures.ts';
import { EVENTS_PER_RUN, historyIsFull, slide, throwIfCancelled } from './moving.ts';
import { activities } from './presets.ts';

/** Carried into the next run of the same check. */
export interface CheckRecord {
  readonly opened: OpenedCheck;
  answer: CheckAnswer;
  nextPart: number;
  /** ISO instant; absent in runs carried on from before it was kept. */
  readonly startedAt?: string;
  report?: CheckReport;
}

const status = defineQuery<CheckProgress>(queryNames.status);

/** @param input see CheckRequestSchema */
export async function check(input: unknown, carried?: CheckRecord): Promise<CheckResult> {
  const request = accept(CheckRequestSchema, input);
  requireWorkflowId(checkWorkflowId(request.checkId));
  let record = carried && workflowInfo().continuedFromExecutionRunId ? carried : undefined;
  const startedAt = record?.startedAt ?? workflowInfo().startTime.toISOString();
  setHandler(status, () => progressOf(request, startedAt, record));
  try {
    record ??= { opened: await open(request), answer: nothingChecked, nextPart: 0, startedAt };
    if (await compare(request, record)) return await conclude(request, record);
    throwIfCancelled();
  } catch (error) {
    throw failureOf(error);
  }
  return await continueAsNew<typeof check>(input, record);
}

const call = (summary: string, heartbeatSeconds?: number) =>
  activities<CheckActivities>('waiting', { queue: DATA_QUEUE, summary, ...(heartbeatSeconds === undefined ? {} : { heartbeatSeconds }) });

const open = ({ manifest, target }: CheckRequest): Promise<OpenedCheck> =>
  call(`find the manifest at ${shortLocation(manifest)}`).openCheck({ manifest, target });

/** The first run's, so that a later one finds what it left. */
const recordsOf = ({ checkId }: CheckRequest): string => `checks/${checkId}/${workflowInfo().firstExecutionRunId}/`;

/** @returns false where the history is full and a new run has to go on */
async function compare(request: CheckRequest, record: CheckRecord): Promise<boolean> {
  const { manifest, heartbeatSeconds, eventsPerRun } = record.opened;
  const { target, read, extra, lanes } = request;
  const parts = manifest.pages === 0 && !extra ? [] : planCheck(manifest);
  show(request, record, parts.length);
  record.nextPart = await slide(
    { from: record.nextPart, to: parts.length, lanes },
    async (number) => {
      const part = parts[number];
      if (!part) throw new TypeError(`a check of ${parts.length} parts has no part ${number}`);
      const summary = `check part ${number + 1} of ${parts.length} of ${shortLocation(target)}${read === 'always' ? ', reading every byte' : ''}`;
      const found = await call(summary, heartbeatSeconds).checkPart({ ...part, manifest, target, read, extra, records: recordsOf(request) });
      record.answer = addCheckAnswers(record.answer, found);
      show(request, record, parts.length);
    },
    () => historyIsFull(Math.min(EVENTS_PER_RUN, eventsPerRun)),
  );
  return record.nextPart >= parts.length;
}

async function conclude(request: CheckRequest, record: CheckRecord): Promise<CheckResult> {
  const { answer } = record;
  const { manifest, heartbeatSeconds, notMoved } = record.opened;
  const found = { ...answer, manifest, ...(notMoved ? { notMoved } : {}) };
  if (differences(answer.counts) === 0) return found;
  record.report = await call('write the list of differences', heartbeatSeconds).writeCheckReport({ manifest, records: recordsOf(request) });
  return { ...found, report: record.report };
}

function progressOf({ target }: CheckRequest, startedAt: string, record: CheckRecord | undefined): CheckProgress {
  const { answer = nothingChecked, opened, report } = record ?? {};
  const { manifest, notMoved } = opened ?? {};
  const known = { ...(notMoved ? { notMoved } : {}), ...(report ? { report } : {}) };
  return { ...answer, files: manifest?.files ?? 0, target: shortLocation(target), startedAt, ...known };
}

function show(request: CheckRequest, { answer: { counts, lines }, opened }: CheckRecord, parts: number): void {
  const { same, sameSize, missing, extra, differing, unreadable } = counts;
  setCurrentDetails(
    [
      `**${same + sameSize} of ${opened.manifest.files} the same**, ${differences(counts)} differences`,
      '',
      `- target ${shortLocation(request.target)}, in ${parts} parts`,
      `- ${missing} missing (+), ${differing} different (*), ${unreadable} unreadable (!)${request.extra ? `, ${extra} extra (-)` : ''}`,
      ...lines.slice(0, 5).map((line) => `  - ${JSON.stringify(line)}`),
    ].join('\n'),
  );
}
