import type { Command } from 'commander';
import { AllocationRequestSchema } from '../../../model/allocation.ts';
import { addCommand, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { formatKey } from '../../input/allocation-name.ts';
import { readDocument } from '../../input/document.ts';
import { parseDuration } from '../../input/duration.ts';
import { renderFacts } from '../../output/table.ts';
import { statusText } from '../../views/status.ts';
import { waitForPhase } from '../../wait-for-phase.ts';

export function addSubmitCommand(parent: Command, run: Run): void {
  addCommand(parent, 'submit', {
    summary: 'Start an allocation, or attach to it where it was submitted before',
    details: 'Submitting the same file twice is harmless; the same name with other content is refused as Conflict',
    examples: ['penstock allocation submit examples/allocation.yaml', 'penstock allocation submit examples/allocation.yaml --wait --timeout 2h'],
  })
    .argument('<file>', 'the allocation as YAML or JSON; - reads standard input')
    .option('--wait', 'wait until it is released, and answer its last status')
    .option('--timeout <duration>', 'give up waiting after so long, such as 30m; the allocation goes on', parseDuration)
    .action((file: string, options: { wait?: true; timeout?: number }, command: Command) =>
      run(command, async (session) => {
        const request = acceptInput(AllocationRequestSchema, await readDocument(file), file);
        const penstock = await session.penstock();
        const submission = await penstock.submit(request);
        const done = submission.attached ? 'attached to' : 'started';
        if (!options.wait) {
          const { temporal } = await session.site();
          return {
            data: submission,
            text: renderFacts([
              [submission.attached ? 'attached to' : 'started', submission.workflowId],
              ['run', submission.runId],
              [
                'Temporal UI',
                typeof temporal.uiPort === 'number'
                  ? `http://${temporal.address.split(':')[0] ?? ''}:${temporal.uiPort}/namespaces/${temporal.namespace}/workflows/${encodeURIComponent(submission.workflowId)}`
                  : undefined,
              ],
              ['follow it', `penstock allocation wait ${formatKey(request)}`],
            ]),
          };
        }
        session.note(`${done} ${submission.workflowId}`);
        const status = await waitForPhase(session, penstock, request, { until: 'released', timeoutMs: options.timeout });
        return { data: status, text: statusText(status) };
      }),
    );
}
