/**
 * This machine's spool of the audit log, and the notice of it: while something waits here, an object in the cold store says so, for the inbox is in the warm one. Whoever asks sees which
 * machines are late, and a machine that is lost with its spool leaves the notice behind.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openBacklog } from '../datapath/audit/backlog.ts';
import { ifOther, increasing } from '../datapath/audit/batch.ts';
import { createRecorder, type Recorder } from '../datapath/audit/recorder.ts';
import { createSpool, type Spool, type SpoolState, spoolState } from '../datapath/audit/spool.ts';
import type { FileStore } from '../drivers/file-store/port.ts';
import { createPosixFileStore } from '../drivers/file-store/posix.ts';
import type { Stores } from '../drivers/open-site.ts';
import { type SpoolNotice, SpoolNoticeSchema } from '../model/audit-outage.ts';
import type { AuditSettings } from '../model/audit-settings.ts';
import { absent } from '../model/errors.ts';
import { parseJson } from '../model/json.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { inboxOf } from './audit-log.ts';

/** Names a spool for as long as its directory lives: an empty one in its place is another. */
const ID_FILE = 'spool-id';
/** For what only helps, and work waits for it: a store that hangs must not hold it. */
const OTHER_STORE_LIMIT_MS = 1000;
/** What a killed process left half-written; none is written for so long. */
const HALF_WRITTEN_MS = 3_600_000;

export type OnSpoolState = (state: SpoolState) => void;

const filesOf = (directory: string): FileStore => createPosixFileStore({ name: 'audit spool', root: resolve(directory) });

/** @throws PenstockError where the directory cannot be made */
export async function openMachineRecorder(
  stores: Stores,
  settings: AuditSettings,
  { actor, onState }: { readonly actor: string; readonly onState: OnSpoolState },
): Promise<Recorder> {
  await mkdir(settings.spool, { recursive: true, mode: 0o700 });
  const files = filesOf(settings.spool);
  await files.sweep('', new Date(Date.now() - HALF_WRITTEN_MS).toISOString());
  // A site's first worker may be quicker than its sequencer. Where the store is out, that is for the spool.
  await Promise.race([stores.warm.ensureBucket(SYSTEM_BUCKET), delay(OTHER_STORE_LIMIT_MS, undefined, { ref: false })]).catch(() => undefined);
  const notice = noticeOf(stores, settings, await spoolId(files));
  const clock = increasing();
  const backlog = await openBacklog({
    inbox: inboxOf(stores),
    spool: createSpool(files),
    actor,
    clock,
    onState: async (state) => {
      onState(state);
      await Promise.race([notice(state), delay(OTHER_STORE_LIMIT_MS, undefined, { ref: false })]);
    },
  });
  return createRecorder(inboxOf(stores), backlog, clock);
}

async function spoolId(files: FileStore): Promise<string> {
  await files.write(ID_FILE, Buffer.from(randomUUID())).catch(ifOther);
  return await readFile(join(files.root, ID_FILE), 'utf8');
}

/** Says in the cold store what the state is, where that differs. Best effort: where this store is out, too, it is said at the next try. */
function noticeOf({ site, cold }: Stores, { bucket, spool }: AuditSettings, id: string): (state: SpoolState) => Promise<void> {
  const key = `${noticePrefix(site.name)}${id}.json`;
  const say = async ({ since }: SpoolState): Promise<void> => {
    try {
      const isThere = (await cold.head(bucket, key)) !== undefined;
      if (since !== undefined && !isThere) {
        const notice: SpoolNotice = { host: hostname(), directory: spool, since };
        await cold.writeBytes(bucket, key, Buffer.from(JSON.stringify(notice)), { contentType: 'application/json' });
      }
      if (since === undefined && isThere) await cold.remove(bucket, key);
    } catch {
      // Entries are kept all the same: what waits for a second store, too, would stop with it.
    }
  };
  // One at a time, and of what came meanwhile only the last.
  let latest: SpoolState | undefined;
  let saying: Promise<void> | undefined;
  const sayLatest = async (): Promise<void> => {
    for (let said: SpoolState | undefined; latest && said !== latest; ) {
      said = latest;
      await say(said);
    }
    saying = undefined;
  };
  return (state) => {
    latest = state;
    saying ??= sayLatest();
    return saying;
  };
}

/** Beside the log, not in it: it comes and goes. */
const noticePrefix = (site: string): string => `audit-spools/${site}/`;

/** It is there, so something waits somewhere. */
const UNREADABLE: SpoolNotice = { host: 'a machine whose notice cannot be read', directory: 'unknown', since: new Date(0).toISOString() };

/** Of all machines whose spool is not empty, or was not when the machine was heard of last. */
export async function readSpoolNotices({ site, cold }: Stores, { bucket }: AuditSettings): Promise<SpoolNotice[]> {
  const page = await cold.list(bucket, noticePrefix(site.name)).catch(absent);
  const bodies = await Promise.all((page?.entries ?? []).map(({ key }) => cold.readBytes(bucket, key).catch(absent)));
  return bodies.flatMap((body) => (body ? [SpoolNoticeSchema.catch(UNREADABLE).parse(parseJson(body))] : []));
}

/** For people, as a subject. */
export const spoolNoticeText = ({ host, directory, since }: SpoolNotice): string => `what ${host} keeps in ${directory} since ${since}`;

/** Of this machine; nothing waits where there is no spool. */
export async function machineSpoolState({ spool }: AuditSettings): Promise<SpoolState> {
  const waiting: Spool['waiting'] = createSpool(filesOf(spool)).waiting;
  return await waiting().then(spoolState, (error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { entries: 0 };
    throw error;
  });
}
