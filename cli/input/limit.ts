import { wholeNumber } from './number.ts';

/** A list is for reading, and the visibility store is shared. */
const LIMIT = 10_000;

/** Rows of a list. @throws InvalidArgumentError, which commander reports */
export const parseLimit = wholeNumber(1, LIMIT);
