/** Recorded histories, one file each: `histories/{workflowType}/{name}.v{version}.json`, in proto JSON. Added, never changed: each is a promise to a run in flight. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import * as z from 'zod';
import { historyFromProtoJson } from './proto-json.ts';

export const HISTORIES = fileURLToPath(new URL('histories', import.meta.url));

export interface Golden {
  /** Below the folder of histories, such as `prestage/completed.v1.json`. */
  readonly file: string;
  readonly workflowType: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly history: History;
}

const HistorySchema = z.looseObject({
  events: z
    .array(
      z.looseObject({
        workflowExecutionStartedEventAttributes: z
          .looseObject({ workflowId: z.string(), originalExecutionRunId: z.string(), workflowType: z.object({ name: z.string() }) })
          .optional(),
      }),
    )
    .min(1),
});

export async function goldenFiles(): Promise<string[]> {
  const entries = await readdir(HISTORIES, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(HISTORIES, join(entry.parentPath, entry.name)))
    .sort();
}

export async function readGolden(file: string): Promise<Golden> {
  const json = HistorySchema.parse(JSON.parse(await readFile(join(HISTORIES, file), 'utf8')));
  const started = json.events[0]?.workflowExecutionStartedEventAttributes;
  if (!started) throw new Error(`${file} does not begin with the start of a workflow; record it again`);
  return {
    file,
    workflowType: started.workflowType.name,
    workflowId: started.workflowId,
    runId: started.originalExecutionRunId,
    history: historyFromProtoJson(json),
  };
}

/** How many versions of `allocation/completed` there are; the next one is one more. */
export async function versionsOf(name: string): Promise<number> {
  const files = await goldenFiles();
  return files.filter((file) => /^(.*)\.v\d+\.json$/.exec(file)?.[1] === name).length;
}

/** @throws where the file exists: a golden is never regenerated. One event a line, so that a person can read it. */
export async function writeGolden(name: string, version: number, events: readonly unknown[]): Promise<string> {
  const path = join(HISTORIES, `${name}.v${version}.json`);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `{"events":[\n${events.map((event) => JSON.stringify(event)).join(',\n')}\n]}\n`, { flag: 'wx' });
  return path;
}
