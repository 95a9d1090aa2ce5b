/**
 * Exports of the embedded NFS server, changed while it runs: one file per export, then SIGHUP. Ganesha 4.3 adds, changes and
 * removes exports that way (tried); whoever mounts a removed one is told that there is no such path.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Where a running NFS server takes its exports from. */
export interface NfsExportControl {
  readonly exportsDirectory: string;
  /** Rewritten when the server restarts. */
  readonly pidFile: string;
}

export interface NfsExport {
  /** Clients mount `/exports/NAME`; of letters, digits, ".", "_" and "-". */
  readonly name: string;
  /** Absolute, in the file system. */
  readonly path: string;
  readonly access: 'read-only' | 'read-write';
}

/** The tree's own export has 1. */
const FIRST_EXPORT_ID = 100;
const LAST_EXPORT_ID = 65_535;

/** Afterwards the server is told to serve exactly these beside its tree; it does within a second. Not to be called concurrently. */
export async function syncNfsExports(control: NfsExportControl, exports: readonly NfsExport[]): Promise<void> {
  await mkdir(control.exportsDirectory, { recursive: true });
  const present = await readPresent(control.exportsDirectory);
  const wanted = new Map(exports.map((entry) => [`${checkedName(entry.name)}.conf`, entry]));
  for (const file of present.keys()) if (!wanted.has(file)) await rm(join(control.exportsDirectory, file));

  let nextId = Math.max(FIRST_EXPORT_ID, ...[...present.values()].map(({ id }) => id + 1));
  for (const [file, entry] of wanted) {
    const before = present.get(file);
    const id = before?.id ?? nextId;
    nextId = Math.max(nextId, id + 1);
    if (id > LAST_EXPORT_ID) throw new Error('the NFS server has given out every export id: restart the site');
    const text = renderNfsExport(entry, id);
    if (before?.text !== text) await replaceFile(join(control.exportsDirectory, file), text);
  }
  await reload(control.pidFile);
}

export function renderNfsExport({ name, path, access }: NfsExport, id: number): string {
  return `EXPORT {
  Export_Id = ${id};
  Path = ${quotePath(path)};
  Pseudo = /exports/${checkedName(name)};
  Protocols = 4;
  Transports = TCP;
  SecType = sys;
  Squash = No_Root_Squash;
  Access_Type = None;
  ${clientsOnLoopback(access)}
  FSAL { Name = VFS; }
}
`;
}

export function clientsOnLoopback(access: NfsExport['access']): string {
  return `CLIENT { Clients = 127.0.0.1, ::1; Access_Type = ${access === 'read-only' ? 'RO' : 'RW'}; }`;
}

export function quotePath(path: string): string {
  if (/["\\\n]/.test(path)) throw new Error(`NFS cannot export ${JSON.stringify(path)}: choose a path without quotes, backslashes and line breaks`);
  return `"${path}"`;
}

function checkedName(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) throw new Error(`${JSON.stringify(name)} is no name for an NFS export`);
  return name;
}

async function readPresent(directory: string): Promise<Map<string, { readonly text: string; readonly id: number }>> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.conf'));
  const entries = files.map(async (file) => {
    const text = await readFile(join(directory, file), 'utf8');
    return [file, { text, id: Number(/Export_Id = (\d+);/.exec(text)?.[1] ?? 0) }] as const;
  });
  return new Map(await Promise.all(entries));
}

/** Ganesha reads every file of the directory, so the temporary one lies beside it. */
async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${dirname(file)}.${process.pid}.tmp`;
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, file);
}

async function reload(pidFile: string): Promise<void> {
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).trim());
  if (!(pid > 1)) return; // not running: it reads the files when it starts
  const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  if (command.startsWith('ganesha')) process.kill(pid, 'SIGHUP');
}
