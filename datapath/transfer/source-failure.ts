/** Tells a source's failure from the target's: a source that cannot be read is that entry's own trouble, a target that cannot be written is everybody's. */
export class SourceFailure extends Error {
  constructor(cause: unknown) {
    super('the source failed', { cause });
  }
}

export const causeOf = (error: unknown): unknown => (error instanceof SourceFailure ? error.cause : error);
