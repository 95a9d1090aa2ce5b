import { InvalidArgumentError } from 'commander';

/** A list is for reading, and the visibility store is shared. */
const LIMIT = 10_000;

/** Rows of a list. @throws InvalidArgumentError, which commander reports */
export function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT) throw new InvalidArgumentError(`accepted: 1 to ${LIMIT}`);
  return limit;
}
