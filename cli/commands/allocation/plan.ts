import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import type { Site } from '../../../model/site.ts';
import { addCommand, type Run } from '../../command.ts';
import { readDocument } from '../../input/document.ts';
import { EMBEDDED_SITE_FILE, LOCAL_SITE_FILE, type Session } from '../../session.ts';
import { dryRunText } from '../../views/dry-run.ts';

export function addPlanCommand(parent: Command, run: Run): void {
  addCommand(parent, 'plan', {
    summary: 'Dry run: every driver call and move an allocation would make, by phase, and every refusal',
    details: 'Starts nothing and writes nothing. Sizes come from the stores of the running site; exit code 1 where it would be refused',
    examples: ['penstock allocation plan examples/allocation.yaml', 'penstock allocation plan examples/allocation.yaml --offline -o json'],
  })
    .argument('<file>', 'the allocation as YAML or JSON; - reads standard input')
    .option('--offline', `ask no store: only the site file decides (${EMBEDDED_SITE_FILE} where no site is up here)`)
    .action((file: string, options: { offline?: true }, command: Command) =>
      run(command, async (session) => {
        const { planDryRun } = await import('../../plan/plan-dry-run.ts');
        const declaration = await readDocument(file);
        const now = session.io.now();
        const plan = options.offline
          ? await planDryRun({ declaration, site: await offlineSite(session), now })
          : await planDryRun({ declaration, site: await session.site(), stores: await session.stores(), now });
        return { data: plan, text: dryRunText(plan), exit: plan.accepted ? 'ok' : 'refused' };
      }),
    );
}

async function offlineSite(session: Session): Promise<Site> {
  const { cwd, env } = session.io;
  const isNamed = session.globals.site !== undefined || env['PENSTOCK_SITE'] !== undefined || existsSync(join(cwd, LOCAL_SITE_FILE));
  return isNamed ? session.site() : loadSiteFile(join(cwd, EMBEDDED_SITE_FILE));
}
