/** `state.json` in the site's directory: what runs, for `siteStatus`, `siteDown` and whoever looks from outside. */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { parseInput } from '../../model/issues.ts';
import { writePrivately } from './secrets.ts';

const ProcessIdentitySchema = z.object({ pid: z.int().positive(), startTime: z.string() });

const SiteStateSchema = z.object({
  version: z.literal(1),
  /** Whoever started the site: while it lives, the site is up. */
  supervisor: ProcessIdentitySchema,
  configFile: z.string(),
  siteFile: z.string(),
  startedAt: z.string(),
  uiUrl: z.string().optional(),
  /** By what they serve, such as "temporal" or "s3-hot"; taken again at the next start where they are free. */
  ports: z.record(z.string(), z.int()),
  services: z.array(z.object({ name: z.string(), process: ProcessIdentitySchema, logFile: z.string() })),
});

export type SiteState = z.output<typeof SiteStateSchema>;

/** Undefined where there is none, or none that this version can read. */
export async function readState(stateFile: string): Promise<SiteState | undefined> {
  const text = await readFile(stateFile, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const parsed = parseInput(SiteStateSchema, JSON.parse(text));
    return parsed.ok ? parsed.value : undefined;
  } catch {
    return undefined;
  }
}

export async function writeState(stateFile: string, state: SiteState): Promise<void> {
  await writePrivately(stateFile, `${JSON.stringify(state, null, 2)}\n`);
}
