import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { AcknowledgedChunk, AskForBandwidth, CheckpointWriter, WrittenCheckpoint } from '../../../client/checkpoint/index.ts';
import type { FileStore, OpenFile } from '../../../drivers/file-store/port.ts';
import { createPosixFileStore } from '../../../drivers/file-store/posix.ts';
import { errnoOf } from '../../../drivers/file-store/posix-errors.ts';
import { eachPage } from '../../../drivers/pages.ts';
import type { CheckpointKey } from '../../../model/checkpoint.ts';
import { IdentifierSchema } from '../../../model/identifiers.ts';
import { formatBytes, formatCount } from '../../../model/quantity.ts';
import { CliError } from '../../cli-error.ts';
import { addCommand, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { ALLOCATION_EXPECTED, formatKey, resolveAllocation } from '../../input/allocation-name.ts';
import { renderFacts } from '../../output/table.ts';
import type { Session } from '../../session.ts';
import { NODE_ABOUT, NODE_OPTION } from './options.ts';

interface WriteOptions {
  readonly node: string;
  readonly from: string;
  readonly commit: boolean;
}

export function addWriteCommand(parent: Command, run: Run): void {
  addCommand(parent, 'write', {
    summary: "Write a reserved checkpoint to the node's ring and to its rack, and commit it",
    details:
      'Each chunk of 4 MiB is acknowledged when both have it on stable media; the record that makes the checkpoint exist comes last. Then the allocation is told, which begins the drain. Where the ring fails, the site file says whether the checkpoint fails or goes on with rack and global tier',
    examples: [
      'penstock checkpoint write acme/vision/train-001 step-1000 --node n001 --from /scratch/local/step-1000',
      'penstock checkpoint write acme/vision/train-001 step-1000 --node n001 --from /dev/shm/step-1000 --no-commit',
    ],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .argument('<checkpoint>', 'the id it was reserved under')
    .requiredOption(NODE_OPTION, NODE_ABOUT)
    .requiredOption('--from <directory>', 'its files, each with its path below the directory; symbolic links are left out')
    .option('--no-commit', 'do not tell the allocation; `penstock allocation checkpoint commit` does it later')
    .action((name: string, checkpoint: string, options: WriteOptions, command: Command) =>
      run(command, async (session) => {
        const allocation = await resolveAllocation(name);
        const checkpointId = acceptInput(IdentifierSchema, checkpoint, 'checkpoint');
        const key: CheckpointKey = { ...allocation, checkpointId };
        await requireDirectory(options.from);
        if (options.commit) await requireReserved(session, key, options.node);
        const { written, slowest } = await write(session, key, options);
        const { record, chunks, degradedBy, durability, withoutWindow } = written;
        if (withoutWindow !== undefined) session.note(session.paint('yellow', `written at the least rate, without a window of bandwidth: ${withoutWindow}`));
        if (degradedBy !== undefined) session.note(session.paint('yellow', `degraded: the second copy is in the global tier, not in the ring: ${degradedBy}`));
        const left = `penstock allocation checkpoint commit ${formatKey(allocation)} ${checkpointId}`;
        if (options.commit) {
          await tellAllocation(session, key).catch((error: unknown) => {
            session.note(`it is written, and its allocation does not know: ${left}`);
            throw error;
          });
        } else session.note(`not drained before: ${left}`);
        const copies = degradedBy === undefined ? ['ring', 'rack'] : ['rack', 'global'];
        const { files, ...facts } = record;
        return {
          data: {
            ...facts,
            files: files.length,
            chunks,
            copies,
            degradedBy,
            withoutWindow,
            durability,
            p50Milliseconds: slowest.at(0.5),
            p99Milliseconds: slowest.at(0.99),
          },
          text: renderFacts([
            ['committed', checkpointId],
            ['content', `${formatCount(files.length, 'file')}, ${formatBytes(record.bytes)}`],
            ['copies', copies.join(', ')],
            ['degraded by', degradedBy],
            ['without window', withoutWindow],
            ['rack', durability.rack],
            [degradedBy === undefined ? 'ring' : 'global', durability.second],
            ['digest', record.digest],
            ['at', record.committedAt],
            ['per chunk', `P50 ${slowest.at(0.5).toFixed(1)} ms, P99 ${slowest.at(0.99).toFixed(1)} ms`],
          ]),
        };
      }),
    );
}

async function tellAllocation(session: Session, { checkpointId, ...allocation }: CheckpointKey): Promise<void> {
  await (await session.penstock()).commitCheckpoint(allocation, { checkpointId });
}

/** Before the first byte: what was not reserved could not be committed afterwards. */
async function requireReserved(session: Session, { checkpointId, ...allocation }: CheckpointKey, nodeId: string): Promise<void> {
  const { checkpoints } = await (await session.penstock()).status(allocation);
  const reserved = checkpoints.filter((each) => each.state === 'reserved' && each.nodeId === nodeId).map((each) => each.checkpointId);
  if (reserved.includes(checkpointId)) return;
  throw new CliError(
    'refused',
    `checkpoint: found ${JSON.stringify(checkpointId)}; accepted: one that is reserved for node ${nodeId} (${reserved.join(', ') || 'none is'}). Reserve it with \`penstock allocation checkpoint reserve\`.`,
    { type: 'InvalidInput' },
  );
}

async function requireDirectory(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => errnoOf(error) ?? 'no answer');
  const reason = typeof found === 'string' ? found : found.isDirectory() ? undefined : 'it is none';
  if (reason !== undefined) throw new CliError('usage', `--from: found ${JSON.stringify(path)} (${reason}); accepted: a directory with the checkpoint's files`);
}

async function write(session: Session, key: CheckpointKey, { node, from }: WriteOptions): Promise<{ written: WrittenCheckpoint; slowest: Latencies }> {
  const { openCheckpointWriter } = await import('../../../client/checkpoint/index.ts');
  const slowest = createLatencies();
  const ending = new AbortController();
  const forget = session.io.onInterrupt?.(() => ending.abort(new DOMException('The checkpoint was given up; it does not exist.', 'AbortError')));
  const source = createPosixFileStore({ name: from, root: from });
  const stores = await session.stores();
  const isBrokered = Object.keys(stores.site.fabrics).length > 0;
  const writer = await openCheckpointWriter(stores, {
    key,
    nodeId: node,
    onAcknowledged: slowest.add,
    ...(isBrokered ? { bandwidth: await bandwidthOf(session, source) } : {}),
    signal: ending.signal,
  });
  try {
    for await (const { entries } of eachPage((from) => source.list('', from)))
      for (const { path } of entries) await addFile(writer, await source.openFile(path), path);
    return { written: await writer.commit(), slowest };
  } finally {
    forget?.();
    await writer.close();
  }
}

/** By the brokers, whom it does not wait for; the bytes as they are now. */
async function bandwidthOf(session: Session, source: FileStore): Promise<AskForBandwidth> {
  let bytes = 0;
  for await (const { entries } of eachPage((from) => source.list('', from))) bytes = entries.reduce((sum, entry) => sum + entry.bytes, bytes);
  const brokers = async () => (await session.penstock()).brokers;
  return {
    bytes,
    lessorOf: (fabric) => ({
      reserve: async (request) => (await brokers()).reserve(fabric, request),
      renew: async (request) => (await brokers()).renew(fabric, request),
      release: async (token) => (await brokers()).release(fabric, token),
    }),
  };
}

async function addFile(writer: CheckpointWriter, file: OpenFile, path: string): Promise<void> {
  try {
    await writer.addFile(path, piecesOf(file), file.facts.bytes);
  } finally {
    await file.close();
  }
}

const PIECE_BYTES = 2 ** 20;

/** One piece of memory, again and again: the writer copies each before it asks for the next. */
async function* piecesOf(file: OpenFile): AsyncGenerator<Buffer, void> {
  const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, file.facts.bytes));
  for (let position = 0; position < file.facts.bytes; position += piece.length) {
    const into = piece.subarray(0, file.facts.bytes - position);
    await file.read(into, position);
    yield into;
  }
  await file.verify();
}

interface Latencies {
  add(chunk: AcknowledgedChunk): void;
  /** @param share such as 0.99 */
  at(share: number): number;
}

/** 64 GiB of chunks; of a larger checkpoint the first ones. */
const MOST_LATENCIES = 16_384;

function createLatencies(): Latencies {
  const seen: number[] = [];
  return {
    add({ milliseconds }) {
      if (seen.length < MOST_LATENCIES) seen.push(milliseconds);
    },
    at: (share) => seen.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * seen.length) - 1)] ?? 0,
  };
}
