/** What is moved: so many files of one size, with content that is nowhere zero and nowhere the same. */
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface Workload {
  readonly name: string;
  readonly files: number;
  readonly bytesEach: number;
}

export const totalBytes = ({ files, bytesEach }: Workload): number => files * bytesEach;
/** Requests decide, not bytes. */
export const isSmall = ({ bytesEach }: Workload): boolean => bytesEach <= 64 * 1024;

const FILES_PER_DIRECTORY = 1000;
const POOL_BYTES = 16 << 20;
const STAMP_BYTES = 4096;

export function createFiles(workload: Workload, root: string): void {
  const pool = randomFillSync(Buffer.allocUnsafe(Math.min(POOL_BYTES, workload.bytesEach)));
  for (let index = 0; index < workload.files; index += 1) {
    const directory = join(root, `d${String(Math.floor(index / FILES_PER_DIRECTORY)).padStart(3, '0')}`);
    if (index % FILES_PER_DIRECTORY === 0) mkdirSync(directory, { recursive: true });
    createFile(join(directory, `file-${String(index).padStart(6, '0')}.bin`), workload.bytesEach, index, pool);
  }
}

/** The pool again and again, each page stamped with where it lies. */
function createFile(path: string, bytes: number, index: number, pool: Buffer): void {
  const file = openSync(path, 'wx');
  try {
    for (let at = 0; at < bytes; at += pool.length) {
      for (let page = 0; page + 12 <= pool.length; page += STAMP_BYTES) {
        pool.writeUInt32LE(index + 1, page);
        pool.writeDoubleLE(at + page + 1, page + 4);
      }
      writeSync(file, pool, 0, Math.min(pool.length, bytes - at));
    }
  } finally {
    closeSync(file);
  }
}

/** A client that moved less than everything was not faster. @throws where files or bytes differ */
export async function checkArrived(workload: Workload, root: string): Promise<void> {
  let [files, bytes] = [0, 0];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    files += 1;
    bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  if (files === workload.files && bytes === totalBytes(workload)) return;
  throw new Error(`${workload.name}: ${files} files of ${bytes} bytes arrived, not ${workload.files} of ${totalBytes(workload)}`);
}
