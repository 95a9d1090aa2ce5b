import { allocationPrefix, allocationWorkflowId } from '../../model/identifiers.ts';
import { formatBytes } from '../../model/quantity.ts';
import type { DemoContext } from './allocation.ts';
import { demoKey } from './story.ts';

export function printReport(context: DemoContext, { keep, elapsedSeconds }: { keep: boolean; elapsedSeconds: number }): void {
  const { status, stores, directory, dataset } = context;
  const key = demoKey(context);
  const prefix = allocationPrefix(key);
  const lines = [
    '',
    'What lies where',
    `  hot     s3://training-data/packages/  ${dataset.files.length} files, ${formatBytes(dataset.bytes)}  (${stores.hotFiles.root}/training-data/packages)`,
    `  warm    s3://${key.tenant}/${prefix}logs/  stdout and stderr of ${context.plan.scratch.length} nodes`,
    `  cold    s3://${key.tenant}/${prefix}  ${status.output?.files} files, ${formatBytes(status.output?.bytes ?? 0)}, locked until ${status.output?.retainUntil}`,
    `  racks   checkpoint step-1000, ${formatBytes(context.checkpoint.bytes)} as 14+4 shards on 18 of ${stores.site.erasureSet.racks.length} racks  (${directory}/s3/racks)`,
    '',
    'Checked on the stores',
    ...context.checks.map((check) => `  ok  ${check}`),
    '',
    'What was done',
    ...status.journal.map((entry) => `  ${entry.at}  ${entry.text}`),
    '',
    `Done after ${elapsedSeconds} s: ${allocationWorkflowId(key)}`,
    ...(keep
      ? [
          `  Temporal UI        ${context.uiUrl}`,
          `  its status         npx penstock allocation status ${key.tenant}/${key.project}/${key.allocationId} --site ${context.siteFile}`,
          `  the stores         npx penstock doctor --site ${context.siteFile}`,
          '  stop the site      npx penstock site down --directory .penstock/demo',
        ]
      : [
          `  The site has been stopped; its Temporal UI was at ${context.uiUrl}. The data stays in ${directory} until the next start.`,
          '  npm start -- --keep   the same, leaving the site and its UI up',
          '  npm run dev           an empty site to work with; README.md shows the commands',
        ]),
    '',
  ];
  process.stdout.write(lines.join('\n'));
}
