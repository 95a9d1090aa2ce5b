/**
 * The audit log: append-only, one JSON line per access, synced before the access is answered. Sequence numbers have no gaps.
 * Texts are made printable before they are written, so that no name can forge a line, a field or a terminal's colours.
 */
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import type { AuditEntry } from '../../drivers/hot-tier/port.ts';
import { parseJson } from '../../model/json.ts';
import { isBelow, printable } from './paths.ts';

export const QUERY_OPERATION = 'audit.query';
const MAX_TEXT = 4096;
/** One remembered offset per so many entries: a million entries cost 4,000 numbers, and a page starts at most 255 lines early. */
const INDEX_EVERY = 256;

export type Access = Omit<AuditEntry, 'sequence' | 'at'>;

const EntrySchema: z.ZodType<AuditEntry> = z.object({
  sequence: z.int(),
  at: z.string(),
  actor: z.string(),
  operation: z.string(),
  path: z.string(),
  outcome: z.enum(['allowed', 'refused']),
});

export interface AuditLog {
  /** Durable when it returns. Those appended at the same time share one sync. */
  append(accesses: readonly Access[]): Promise<void>;
  /**
   * Oldest first, below the path; "/" is everything, also what named no valid path. Queries of the log itself are recorded
   * but left out unless asked for, as otherwise reading the log page by page would never come to its end.
   */
  query(query: { path: string; after: number; limit: number; withQueries: boolean }): Promise<AuditEntry[]>;
  close(): Promise<void>;
}

export async function openAuditLog(file: string, now: () => number): Promise<AuditLog> {
  const handle = await open(file, 'a+', 0o600);
  let { end, entries, offsets } = await scan(file, handle).catch(async (error: unknown) => {
    await handle.close();
    throw error;
  });
  let waiting: { access: Access; done: () => void; failed: (error: unknown) => void }[] = [];
  let flushing: Promise<void> | undefined;

  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      const at = new Date(now()).toISOString();
      const lines = batch.map(({ access }, index) => Buffer.from(`${JSON.stringify(entryOf(access, entries + index + 1, at))}\n`));
      try {
        await handle.appendFile(Buffer.concat(lines));
        await handle.datasync();
      } catch (error) {
        await handle.truncate(end).catch(() => {});
        for (const { failed } of batch) failed(error);
        continue;
      }
      for (const line of lines) {
        if (entries % INDEX_EVERY === 0) offsets.push(end);
        end += line.length;
        entries += 1;
      }
      for (const { done } of batch) done();
    }
  };

  return {
    async append(accesses) {
      const written = accesses.map((access) => new Promise<void>((done, failed) => waiting.push({ access, done, failed })));
      flushing ??= flush().finally(() => {
        flushing = undefined;
      });
      await Promise.all(written);
    },
    async query({ path, after, limit, withQueries }) {
      const start = offsets[Math.floor(after / INDEX_EVERY)];
      if (start === undefined || start >= end) return [];
      const wanted = printable(path);
      const found: AuditEntry[] = [];
      const input = createReadStream(file, { start, end: end - 1 });
      try {
        for await (const line of createInterface({ input })) {
          const entry = EntrySchema.parse(JSON.parse(line));
          if (entry.sequence <= after || !isBelow(entry.path, wanted)) continue;
          if (entry.operation === QUERY_OPERATION && !withQueries) continue;
          found.push(entry);
          if (found.length >= limit) break;
        }
      } finally {
        input.destroy();
      }
      return found;
    },
    async close() {
      await flushing;
      await handle.close();
    },
  };
}

function entryOf(access: Access, sequence: number, at: string): AuditEntry {
  const text = (value: string) => printable(value.slice(0, MAX_TEXT));
  return { sequence, at, actor: text(access.actor), operation: text(access.operation), path: text(access.path), outcome: access.outcome };
}

/** Where the log ends. A last line without its end was never answered (a crash cut it) and goes; anything else out of order is a damaged log. */
async function scan(file: string, handle: FileHandle): Promise<{ end: number; entries: number; offsets: number[] }> {
  const { size } = await handle.stat();
  let end = 0;
  let entries = 0;
  const offsets: number[] = [];
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(file)) {
    rest = Buffer.concat([rest, chunk]);
    for (let newline = rest.indexOf(10); newline !== -1; newline = rest.indexOf(10)) {
      const entry = EntrySchema.safeParse(parseJson(rest.toString('utf8', 0, newline)));
      if (!entry.success || entry.data.sequence !== entries + 1) {
        throw new Error(`${file}: entry ${entries + 1} at byte ${end} is missing or damaged; put the log back from a copy, or move it away to begin another`);
      }
      if (entries % INDEX_EVERY === 0) offsets.push(end);
      entries += 1;
      end += newline + 1;
      rest = rest.subarray(newline + 1);
    }
  }
  if (end < size) await handle.truncate(end);
  return { end, entries, offsets };
}
