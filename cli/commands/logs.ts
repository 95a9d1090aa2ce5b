import { type Command, Option } from 'commander';
import type { AllocationKey } from '../../model/identifiers.ts';
import { type ByteRange, LOG_STREAMS, type LogStream } from '../../model/log-metadata.ts';
import { isEnd } from '../../model/phase.ts';
import { addCommand, type Run } from '../command.ts';
import { ALLOCATION_EXPECTED, resolveAllocation } from '../input/allocation-name.ts';
import { parseByteRange } from '../input/byte-range.ts';
import { parseInstant } from '../input/instant.ts';
import { LOCATION_ABOUT, parseLocation } from '../input/location.ts';
import type { Session } from '../session.ts';

interface LogsOptions {
  node?: string;
  stream: LogStream;
  since?: string;
  bytes?: ByteRange;
  from?: string;
  follow?: true;
}

export function addLogsCommand(program: Command, run: Run): void {
  addCommand(program, 'logs', {
    summary: 'Print what a job wrote, while it runs and afterwards',
    details:
      'Prints the bytes as they were written, and reads only the chunks that hold what is asked for. Of several nodes one after the other, each announced on stderr. What the job wrote within the last minute may not be shipped yet. A chunk that is missing or damaged is named on stderr and left out, and the exit code is 8',
    examples: [
      'penstock logs acme/vision/train-001 --node n001 --follow',
      'penstock logs acme/vision/train-001 --stream stderr --since 30m',
      'penstock logs acme/vision/train-001 --node n001 --bytes 0-1048575',
    ],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .option('--node <node>', 'of this node only')
    .addOption(new Option('--stream <stream>', 'which of the two').choices(LOG_STREAMS).default('stdout'))
    .option(
      '--since <when>',
      'lines from then on: an instant, a day, or so long ago such as 30m. Of a log whose lines begin with no time, what was read from the node since',
      parseInstant,
    )
    .addOption(new Option('--bytes <range>', 'these bytes of the log, such as 0-1023 or 1024-').argParser(parseByteRange).conflicts('since'))
    .option('--from <location>', `a copy of the logs: ${LOCATION_ABOUT}`)
    .option('--follow', 'go on printing until the logs are complete, or all of the bytes asked for of one node')
    .action((name: string, options: LogsOptions, command: Command) =>
      run(command, async (session) => {
        const { from, node, ...rest } = options;
        const key = await resolveAllocation(name);
        const query = {
          ...rest,
          ...(node === undefined ? {} : { nodeId: node }),
          ...(from === undefined ? {} : { from: parseLocation(from, await session.site()) }),
          isOver: () => isOver(session, key),
          wait: (milliseconds: number) => session.io.delay(milliseconds, new AbortController().signal),
        };
        const { readLogs } = await import('../../activities/log-reading.ts');
        let printing = '';
        let isWhole = true;
        for await (const piece of readLogs(await session.stores(), key, query)) {
          if (piece.kind === 'finding') {
            session.note(piece.text);
            isWhole = false;
            continue;
          }
          if (node === undefined && piece.nodeId !== printing) session.note(`==> ${piece.nodeId} ${query.stream}`);
          printing = piece.nodeId;
          await session.io.writeBytes(piece.bytes);
        }
        return { data: [], text: '', isWritten: true, exit: isWhole ? 'ok' : 'differences' };
      }),
    );
}

/** Temporal need not be up to read logs: then nobody knows, and following goes on. What it does not know is over, if it ever was. */
async function isOver(session: Session, key: AllocationKey): Promise<boolean> {
  try {
    const penstock = await session.penstock();
    return isEnd((await penstock.status(key)).phase);
  } catch (error) {
    const { toFailure } = await import('../failure.ts');
    return toFailure(error).exit === 'notFound';
  }
}
