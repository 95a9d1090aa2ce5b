import { type Command, Option } from 'commander';
import type { AuditQuery } from '../../../activities/audit-reading.ts';
import { type AuditOperation, auditOperations } from '../../../model/audit.ts';
import { addCommand, type Run } from '../../command.ts';
import { formatKey, resolveAllocation } from '../../input/allocation-name.ts';
import { parseInstant } from '../../input/instant.ts';
import { wholeNumber } from '../../input/number.ts';
import { operationLine } from '../../views/audit.ts';
import { writeRows } from '../../write-rows.ts';

interface QueryOptions {
  user?: string;
  tenant?: string;
  allocation?: string;
  node?: string;
  path?: string;
  type?: AuditOperation;
  since?: string;
  until?: string;
  limit: number;
  json?: true;
}

const MOST_ROWS = 1_000_000;

export function addQueryCommand(parent: Command, run: Run): void {
  addCommand(parent, 'query', {
    summary: 'Print what is on record, oldest first',
    details:
      'One entry a line: time, operation, intent or how it ended, whose data, where, by whom. An operation has an intent before it begins; where no outcome follows, it was cut off. Reads only the segments that may hold such entries, and proves nothing: `penstock audit verify` does; a segment that is gone or damaged is named on stderr, and the exit code is 8. What happened within the last minute may not be sealed yet',
    examples: [
      'penstock audit query --allocation acme/vision/train-001',
      'penstock audit query --user ada --since 30d --type wipe',
      'penstock audit query --path s3://acme/vision/train-001/weights.bin --json',
    ],
  })
    .option('--user <name>', 'entries of this person, and of the allocations that were admitted for them')
    .option('--tenant <name>', "entries about this tenant's data")
    .option('--allocation <allocation>', 'TENANT/PROJECT/ID')
    .option('--node <node>', 'entries about what was on this node')
    .option('--path <path>', 'as s3://bucket/key, or store:s3://bucket/key for one store: what was done to it, below it, or to a folder that holds it')
    .addOption(new Option('--type <operation>', 'only these operations').choices(auditOperations))
    .option('--since <when>', 'from then on: an instant, a day, or so long ago such as 30d', parseInstant)
    .option('--until <when>', 'before then', parseInstant)
    .option('--limit <number>', 'so many entries', wholeNumber(1, MOST_ROWS), 1000)
    .option('--json', 'an object a line; the same as -o json')
    .action(({ json, type, allocation, limit, ...rest }: QueryOptions, command: Command) =>
      run(command, async (session) => {
        const { notOnRecord, queryAudit } = await import('../../../activities/audit-reading.ts');
        const query: AuditQuery = {
          ...rest,
          ...(type === undefined ? {} : { operation: type }),
          ...(allocation === undefined ? {} : { allocation: formatKey(await resolveAllocation(allocation)) }),
        };
        const stores = await session.stores();
        for (const kept of await notOnRecord(stores)) session.note(`${kept} is not on record yet`);
        let isWhole = true;
        const found = queryAudit(stores, { ...query, limit: limit + 1 }, (what) => {
          session.note(what);
          isWhole = false;
        });
        const rows = upTo(found, limit, () => session.note(`these are the first ${limit}, and there are more: --limit ${MOST_ROWS} at most, or ask for less`));
        const answer = await writeRows(session, rows, operationLine, json ? 'json' : undefined);
        return { ...answer, exit: isWhole ? 'ok' : 'differences' };
      }),
    );
}

async function* upTo<T>(rows: AsyncIterable<T>, limit: number, onMore: () => void): AsyncGenerator<T, void> {
  let left = limit;
  for await (const row of rows) {
    if (left === 0) return onMore();
    left -= 1;
    yield row;
  }
}
