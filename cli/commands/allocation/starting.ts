import type { Command } from 'commander';
import { type AssignedNode, AssignNodesSchema, RescheduleSchema } from '../../../model/allocation.ts';
import type { Site } from '../../../model/site.ts';
import { CliError } from '../../cli-error.ts';
import { addCommand, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { ALLOCATION_EXPECTED, resolveAllocation } from '../../input/allocation-name.ts';
import { readDocument } from '../../input/document.ts';
import { repeated } from '../../input/repeated.ts';
import { mountPlanText } from '../../views/mount-plan.ts';
import { readinessText } from '../../views/status.ts';

export function addStartingCommands(parent: Command, run: Run): void {
  addCommand(parent, 'assign', {
    summary: 'Give nodes to an allocation and start it: exports, floors, snapshots and scratch',
    details: "Answers what the nodes' prologue mounts. Racks and features come from the site file, or from --file. NotReady where too little data is hot",
    examples: [
      'penstock allocation assign acme/vision/train-001 --node n001 --node n002',
      'penstock allocation assign acme/vision/train-001 --file nodes.json',
    ],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .option('--node <id>', 'a node of the site file; may be repeated', repeated)
    .option('--file <file>', 'the nodes as schemas/assign-nodes.schema.json has them; - reads standard input')
    .action((name: string, options: { node?: string[]; file?: string }, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(name);
        if ((options.node === undefined) === (options.file === undefined))
          throw new CliError('usage', 'found neither or both of --node and --file; accepted: one of them');
        const input =
          options.file === undefined
            ? { nodes: lookUpNodes(options.node ?? [], await session.site()) }
            : acceptInput(AssignNodesSchema, await readDocument(options.file), options.file);
        const plan = await (await session.penstock()).assignNodes(key, input);
        return { data: plan, text: mountPlanText(plan) };
      }),
    );

  addCommand(parent, 'reschedule', {
    summary: 'Tell an allocation when its job is expected to start; staged data stays pinned until then',
    examples: ['penstock allocation reschedule acme/vision/train-001 --expected-start 2026-12-01T08:00:00Z'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .requiredOption('--expected-start <instant>', 'such as 2026-12-01T08:00:00Z')
    .action((name: string, options: { expectedStart: string }, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(name);
        const readiness = await (await session.penstock()).reschedule(key, acceptInput(RescheduleSchema, options));
        return { data: readiness, text: readinessText(readiness) };
      }),
    );
}

function lookUpNodes(ids: readonly string[], site: Site): AssignedNode[] {
  return ids.map((id) => {
    const node = site.nodes.find((each) => each.id === id);
    if (!node)
      throw new CliError('notFound', `node ${JSON.stringify(id)} is not in the site file; accepted: ${site.nodes.map((each) => each.id).join(', ')}`, {
        type: 'NotFound',
      });
    return { nodeId: node.id, rackId: node.rackId, features: node.features };
  });
}
