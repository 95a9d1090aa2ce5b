/** The name is taken by content of its own: not the entry's, and nothing that a directory stands in the way of. */
import { PenstockError } from '../../model/errors.ts';

interface Found {
  /** Where it lies, such as s3://bucket/key. */
  readonly label: string;
  readonly bytes: number;
  /** Of the entry that was to be there. */
  readonly wantedBytes: number;
  /** What differs where the sizes do not. */
  readonly difference: string;
}

export class OtherContent extends PenstockError {
  constructor({ label, bytes, wantedBytes, difference }: Found, context: { readonly store: string; readonly cause: unknown }) {
    const sizes = bytes === wantedBytes ? `both ${bytes} bytes, ${difference}` : `${bytes} bytes, here ${wantedBytes}`;
    super('Conflict', `${label} lies there with other content (${sizes}).`, {
      ...context,
      nextStep: 'Start it with `replace` (--replace) to replace it, or move to another place.',
    });
  }
}
