/** Collects what nobody will finish: old uploads in parts, and temporary files. Started by a schedule; finds nothing on most days. */
import { continueAsNew, isCancellation, setCurrentDetails } from '@temporalio/workflow';
import type { SweepActivities, SweepAnswer } from '../activities/sweep.ts';
import { messageOf } from '../model/errors.ts';
import { CONTROL_QUEUE, DATA_QUEUE, nodeQueue, rackQueue } from '../model/identifiers.ts';
import { rootCause } from './failures.ts';
import { slide, throwIfCancelled } from './moving.ts';
import { activities } from './presets.ts';

export interface SweepInput {
  /** From the run before, where this one continues it. */
  readonly carried?: { readonly nodesFrom: number; readonly result: SweepResult };
}
export interface SweepResult extends SweepAnswer {
  /** What could not be reached; the first 20. The next sweep tries again. */
  readonly skipped: readonly string[];
}

const LANES = 16;
const SKIPPED_SHOWN = 20;

export async function sweep({ carried }: SweepInput = {}): Promise<SweepResult> {
  const { nodesFrom, result: before } = carried ?? { nodesFrom: 0, result: { uploads: 0, temporaryFiles: 0, skipped: [] } };
  let result: SweepResult = before;
  const swept = async (what: string, work: () => Promise<SweepAnswer>): Promise<void> => {
    try {
      const { uploads, temporaryFiles } = await work();
      result = { ...result, uploads: result.uploads + uploads, temporaryFiles: result.temporaryFiles + temporaryFiles };
    } catch (error) {
      if (isCancellation(error)) throw error;
      result = { ...result, skipped: [...result.skipped, `${what}: ${messageOf(rootCause(error))}`].slice(0, SKIPPED_SHOWN) };
    }
    setCurrentDetails(
      `${result.uploads} uploads ended, ${result.temporaryFiles} temporary files removed\n\n${result.skipped.map((line) => `- skipped ${line}`).join('\n')}`,
    );
  };
  const on = (queue: string, summary: string) => activities<SweepActivities>('sweep', { queue, summary });

  const plan = await activities<SweepActivities>('control', { queue: CONTROL_QUEUE, summary: 'what there is to sweep' }).planSweep({ nodesFrom });
  const { olderThan } = plan;
  const works = [
    ...(nodesFrom === 0
      ? [() => swept('stores', () => on(DATA_QUEUE, `unfinished uploads and files from before ${olderThan}`).sweepStores({ olderThan }))]
      : []),
    ...plan.racks.map(
      (rackId) => () => swept(`rack ${rackId}`, () => on(rackQueue(rackId), `temporary files of rack ${rackId}`).sweepRack({ rackId, olderThan })),
    ),
    ...plan.nodes.map(
      (nodeId) => () => swept(`node ${nodeId}`, () => on(nodeQueue(nodeId), `temporary files of node ${nodeId}`).sweepNode({ nodeId, olderThan })),
    ),
  ];
  await slide(
    { from: 0, to: works.length, lanes: LANES },
    async (index) => works[index]?.(),
    () => false,
  );
  throwIfCancelled();
  if (plan.nextNode !== undefined) await continueAsNew<typeof sweep>({ carried: { nodesFrom: plan.nextNode, result } });
  return result;
}
