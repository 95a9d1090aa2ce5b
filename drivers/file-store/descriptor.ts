/**
 * A descriptor that many calls share. It is closed only when none is under way: its number is given to another file at once, and a late write would
 * land there.
 */
import { closeFd } from './raw-fs.ts';

export class Descriptor {
  readonly #fd: number;
  #users = 0;
  #closed: Promise<void> | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @throws Error where it is closed, which is the caller's mistake */
  async use<T>(call: (fd: number) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Error('The file was used after it was closed.');
    this.#users += 1;
    try {
      return await call(this.#fd);
    } finally {
      this.#users -= 1;
      if (this.#users === 0) this.#whenIdle?.();
    }
  }

  /** May be called again. Rejects as close() does, which tells write errors on some file systems. */
  close(): Promise<void> {
    this.#closed ??= this.#closeWhenIdle();
    return this.#closed;
  }

  async #closeWhenIdle(): Promise<void> {
    if (this.#users > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await closeFd(this.#fd);
  }
}
