/** A user whom modes hold for: root may read and write everything. */
export const NOBODY = 65_534;

/** As nobody where this is root, else as whoever this is. */
export async function unprivileged<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid?.(NOBODY);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}
