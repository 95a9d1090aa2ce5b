/**
 * ISA-L for tests and benchmarks: where the kernel finds it, else from Debian's package. Root in CI installs it; everyone else gets the library unpacked into their
 * cache, where the kernel looks too, and the system stays as it is.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cachedIsalPath, findIsal, ISAL_VARIABLE, type IsalLibrary } from '../../datapath/native/isal-library.ts';
import { messageOf } from '../../model/errors.ts';
import { installDebian } from './debian.ts';
import { whichExecutable } from './find-tool.ts';
import { logToStandardError, type ToolLog } from './resolve-tool.ts';

const run = promisify(execFile);
const PACKAGE = 'libisal2';
const DOWNLOAD_TIMEOUT_MILLISECONDS = 2 * 60_000;

/** @throws one message that says what to install */
export async function resolveIsal(log: ToolLog = logToStandardError): Promise<IsalLibrary> {
  const found = await findIsal();
  if (found) return found;
  try {
    if (process.env[ISAL_VARIABLE]) throw new Error(`${ISAL_VARIABLE} is "off"`);
    if (process.env['CI'] === 'true' && process.getuid?.() === 0) await installDebian([PACKAGE], log);
    else await unpackIntoCache(log);
    const obtained = await findIsal();
    if (!obtained) throw new Error(`${PACKAGE} is there now, but its library does not load`);
    return obtained;
  } catch (error) {
    const reason = messageOf(error);
    throw new Error(
      `ISA-L is needed and could not be obtained: ${reason}\nInstall the Debian package ${PACKAGE}, or build ISA-L 2.30 or newer; or set ${ISAL_VARIABLE} to the path of libisal.so.2.`,
      { cause: error },
    );
  }
}

async function unpackIntoCache(log: ToolLog): Promise<void> {
  for (const program of ['apt-get', 'dpkg-deb']) {
    if (!(await whichExecutable(program))) throw new Error(`${PACKAGE} not found, and this is no Debian system (it has no ${program})`);
  }
  log(`fetching ${PACKAGE} into ${dirname(cachedIsalPath())} with apt-get download: a few seconds, once per user ...`);
  const directory = await mkdtemp(join(tmpdir(), 'penstock-libisal-'));
  try {
    await run('apt-get', ['download', '--quiet', PACKAGE], { cwd: directory, timeout: DOWNLOAD_TIMEOUT_MILLISECONDS });
    const [file] = await readdir(directory);
    await run('dpkg-deb', ['--extract', join(directory, file ?? ''), join(directory, 'tree')]);
    const names = await readdir(join(directory, 'tree'), { recursive: true });
    // A link beside the file has the soname only; the file's own name ends with the whole version.
    const library = names.find((name) => /\/libisal\.so\.\d+\.\d+\.\d+$/.test(name));
    if (library === undefined) throw new Error(`${PACKAGE} holds no libisal`);
    await mkdir(dirname(cachedIsalPath()), { recursive: true });
    const whole = `${cachedIsalPath()}.${process.pid}`;
    await copyFile(join(directory, 'tree', library), whole);
    await rename(whole, cachedIsalPath());
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
