/** The thread of file-thread.ts; import it nowhere, for it listens to its parent. */
import { closeSync, constants, fchmodSync, fstatSync, linkSync, lstatSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { identityOf } from './contained-path.ts';
import type { NameOutcome, NewFile, NewFileStats, NewName, ThreadReply, ThreadRequest } from './file-thread.ts';
import { waitingSetFileTime } from './libc.ts';
import { CREATE_FLAGS } from './raw-fs.ts';

const setFileTime = await waitingSetFileTime();
const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY;

/** Descriptors of its own for the directories of a job: the caller's may be closed, and its number be another's, before a call that hung returns. */
class OwnDirectories {
  readonly #fds = new Map<string, number>();

  /** @returns the beginning of the paths in it */
  within(directory: string): string {
    const fd = this.#fds.get(directory) ?? openSync(`${directory}.`, DIRECTORY_FLAGS);
    this.#fds.set(directory, fd);
    return `/proc/self/fd/${fd}/`;
  }

  close(): void {
    for (const fd of this.#fds.values()) closeSync(fd);
  }
}

parentPort?.on('message', ({ content, files, id, names }: ThreadRequest) => {
  const directories = new OwnDirectories();
  const memory = new Uint8Array(content);
  const written = files.map((file) => orUndefined(() => write(directories, file, memory)));
  const published = names.map((name) => orUndefined(() => publish(directories, name)));
  directories.close();
  parentPort?.postMessage({ id, written, published } satisfies ThreadReply);
});

function write(directories: OwnDirectories, { bytes, directory, mode, modeOfNew, modifiedNs, offset, temporary }: NewFile, content: Uint8Array): NewFileStats {
  const path = `${directories.within(directory)}${temporary}`;
  const fd = openSync(path, CREATE_FLAGS, modeOfNew);
  try {
    for (let done = 0; done < bytes; ) done += writeSync(fd, content, offset + done, bytes - done, done);
    if (mode !== undefined) fchmodSync(fd, mode);
    if (modifiedNs !== undefined) setFileTime(fd, modifiedNs);
    const { dev, ino, mtimeNs, size } = fstatSync(fd, { bigint: true });
    if (size !== BigInt(bytes)) throw new Error('somebody else wrote to it');
    return { dev, ino, mtimeNs, size };
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** As {@link publishIn}. */
function publish(directories: OwnDirectories, { directory, identity, name, replace, temporary }: NewName): NameOutcome {
  const within = directories.within(directory);
  const named = `${within}${name}`;
  if (replace) {
    renameSync(`${within}${temporary}`, named);
  } else {
    linkSync(`${within}${temporary}`, named);
    unlinkSync(`${within}${temporary}`);
  }
  return identityOf(lstatSync(named, { bigint: true })) === identity ? 'published' : 'replaced';
}

function orUndefined<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}
