/**
 * Small files on their way to their scope's thread. While the thread works on one group of them the next one gathers, so that a group is as large as it is worth: few where the
 * thread is idle, many where it is not.
 */
import type { FileThread, NewFile, NewFileStats } from './file-thread.ts';

/** Of a larger file the time goes into its content, not into its calls. */
export const SMALL_FILE_BYTES = 256 * 1024;
/** Content of a group; one gathers while another is written. */
const GROUP_BYTES = 2 ** 20;
/** Of a group: some 10 ms of the thread, so that nobody waits long for it. */
const GROUP_FILES = 256;
/** Cache lines: what lies across them is copied byte by byte. */
const PLACED_AT_BYTES = 64;
/** A thread takes 30 ms to start: as long as so many files take without it. */
const WORTH_A_THREAD_FILES = 64;

export interface SmallFile extends Omit<NewFile, 'bytes' | 'offset'> {
  readonly content: Buffer;
}
export interface SmallFiles {
  /** Asked once for each file of the scope, and before {@link write}: whether it is small, and there have been enough of its kind. */
  takes(bytes: number): boolean;
  /**
   * The file is closed under its temporary name, and not synced; its content has been read. @returns undefined where that did not go smoothly, and nothing new is left @throws as
   * {@link FileThread.run}
   */
  write(file: SmallFile): Promise<NewFileStats | undefined>;
}

interface Group {
  readonly content: SharedArrayBuffer;
  readonly files: NewFile[];
  bytes: number;
  /** Settles when another one gathers. */
  readonly left: PromiseWithResolvers<void>;
  readonly written: PromiseWithResolvers<readonly (NewFileStats | undefined)[]>;
}

export function createSmallFiles(thread: FileThread): SmallFiles {
  let seen = 0;
  let gathering: Group | undefined;
  /** Of a group that came back. */
  let spare: SharedArrayBuffer | undefined;
  let isUnderWay = false;

  function gather(): Group {
    if (gathering) return gathering;
    gathering = {
      content: spare ?? new SharedArrayBuffer(GROUP_BYTES),
      files: [],
      bytes: 0,
      left: Promise.withResolvers(),
      written: Promise.withResolvers(),
    };
    spare = undefined;
    // Whatever else came in this turn of the event loop goes along.
    if (!isUnderWay) setImmediate(send);
    return gathering;
  }

  function send(): void {
    const group = gathering;
    if (!group) return;
    gathering = undefined;
    isUnderWay = true;
    group.left.resolve();
    void thread
      .run({ content: group.content, files: group.files, names: [] })
      .then(({ written }) => {
        // A thread that failed may still be reading what it was given.
        spare = group.content;
        group.written.resolve(written);
      }, group.written.reject)
      .finally(() => {
        isUnderWay = false;
        send();
      });
  }

  return {
    takes(bytes) {
      if (bytes > SMALL_FILE_BYTES) return false;
      seen += 1;
      return seen >= WORTH_A_THREAD_FILES;
    },
    async write({ content, ...file }) {
      let group = gather();
      while (group.files.length === GROUP_FILES || group.bytes + content.length > GROUP_BYTES) {
        await group.left.promise;
        group = gather();
      }
      const index = group.files.length;
      group.files.push({ ...file, offset: group.bytes, bytes: content.length });
      content.copy(Buffer.from(group.content), group.bytes);
      group.bytes += Math.ceil(content.length / PLACED_AT_BYTES) * PLACED_AT_BYTES;
      return (await group.written.promise)[index];
    },
  };
}
