import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { messageOf } from '../../../model/errors.ts';
import { type ReportedRetention, type RetentionReport, RetentionReportSchema } from '../../../model/retention-report.ts';
import { CliError } from '../../cli-error.ts';
import { addCommand, type Run } from '../../command.ts';
import { ALLOCATION_EXPECTED, formatKey, resolveAllocation } from '../../input/allocation-name.ts';
import { escapeDocument } from '../../output/escape.ts';
import type { Session } from '../../session.ts';
import { latestLook, reportText } from '../../views/retention.ts';
import { retentionPage } from '../../views/retention-page.ts';

interface ReportOptions {
  tenant?: string;
  json?: true;
  html?: string;
  read?: true;
}

export function addReportCommand(parent: Command, run: Run): void {
  addCommand(parent, 'report', {
    summary: 'Evidence of what is retained, for an auditor: as JSON, or as a page to print',
    details:
      'Of an allocation: until when and why, each object with the lock that the store answers now, what was found wrong, holds, and what the audit log has of it. Of a tenant: all its retentions as the last attestation found them. Exit code 8 where something is wrong',
    examples: ['penstock retention report acme/vision/train-001 --read --html train-001.html', 'penstock retention report --tenant acme --json'],
  })
    .argument('[allocation]', ALLOCATION_EXPECTED)
    .option('--tenant <name>', "all of this tenant's instead")
    .option('--read', 'read every byte for it; otherwise the checksums that the store has on record are believed')
    .option('--html <file>', 'write it as a page that stands alone; an existing file is not replaced')
    .option('--json', 'the same as -o json')
    .action((allocation: string | undefined, options: ReportOptions, command: Command) =>
      run(command, async (session) => {
        const { subject, retentions } = await reported(session, allocation, options);
        const made: RetentionReport = { formatVersion: 1, site: (await session.site()).name, madeAt: session.io.now().toISOString(), subject, retentions };
        const data = RetentionReportSchema.parse(made);
        if (options.html !== undefined) await writePage(options.html, retentionPage(data));
        const exit = retentions.some((each) => latestLook(each).findingCount > 0) ? 'differences' : 'ok';
        if (!options.json) return { data, text: reportText(data), exit };
        session.io.stdout(`${escapeDocument(JSON.stringify(data, undefined, 2))}\n`);
        return { data, text: '', isWritten: true, exit };
      }),
    );
}

async function reported(
  session: Session,
  allocation: string | undefined,
  { tenant, read }: ReportOptions,
): Promise<{ readonly subject: string; readonly retentions: ReportedRetention[] }> {
  if ((allocation === undefined) === (tenant === undefined)) throw new CliError('usage', `accepted: an allocation (${ALLOCATION_EXPECTED}), or --tenant NAME`);
  const { reportRetention, reportStatus } = await import('../../../activities/retention-report.ts');
  const { retentions } = await session.penstock();
  if (tenant !== undefined) return { subject: tenant, retentions: (await retentions.ofTenant(tenant)).map(reportStatus) };
  const key = await resolveAllocation(allocation ?? '');
  const status = await retentions.status(key);
  const { signal } = new AbortController();
  const options = { readShare: read ? 1 : 0, signal, onProgress: () => undefined };
  return { subject: formatKey(key), retentions: [await reportRetention(await session.stores(), status, options)] };
}

async function writePage(file: string, page: string): Promise<void> {
  try {
    await writeFile(file, page, { flag: 'wx' });
  } catch (error) {
    throw new CliError('usage', `--html: ${file} cannot be written: ${messageOf(error)}`, { cause: error });
  }
}
