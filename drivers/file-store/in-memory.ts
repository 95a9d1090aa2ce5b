import { statfs } from 'node:fs/promises';

/** By its magic in linux/magic.h. */
const TMPFS = 0x01021994;

/** On tmpfs: what is written is in the page cache and nowhere else. */
export const isInMemory = async (fd: number): Promise<boolean> => (await statfs(`/proc/self/fd/${fd}`)).type === TMPFS;
