/** For `assert.rejects`: an error of Penstock's, of this type. */
import { type ErrorType, isType } from '../../model/errors.ts';

export const ofType =
  (type: ErrorType) =>
  (error: unknown): boolean =>
    isType(error, type);
