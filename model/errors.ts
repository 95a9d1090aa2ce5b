/**
 * Every failure Penstock reports has one of these types. The class decides what happens next: `retryable` is tried again
 * at once with back-off, `waiting` parks until the world changes (space, restore, a free floor), `fatal` needs other input.
 */
export const errorClasses = {
  StoreThrottled: 'retryable',
  StoreUnavailable: 'retryable',
  IoError: 'retryable',
  ChecksumMismatch: 'retryable',
  /** What several workers were writing was ended by somebody: begun anew, it succeeds. */
  SessionLost: 'retryable',
  OutOfSpace: 'waiting',
  FloorUnavailable: 'waiting',
  /** A broker gives no window now, such as because its queue is full. */
  WindowUnavailable: 'waiting',
  RestorePending: 'waiting',
  NodeUnavailable: 'fatal',
  NotFound: 'fatal',
  Denied: 'fatal',
  Conflict: 'fatal',
  CorruptSource: 'fatal',
  SourceChanged: 'fatal',
  NotEnoughShards: 'fatal',
  CheckpointIncomplete: 'fatal',
  PolicyRefused: 'fatal',
  InvalidInput: 'fatal',
  DeadlineExceeded: 'fatal',
} as const satisfies Record<string, ErrorClass>;

export type ErrorClass = 'retryable' | 'waiting' | 'fatal';
export type ErrorType = keyof typeof errorClasses;

export interface ErrorContext {
  /** The store's name in the site file, where a store answered. */
  readonly store?: string;
  /** What a person can do about it, as an imperative sentence. */
  readonly nextStep?: string;
  readonly cause?: unknown;
}

export class PenstockError extends Error {
  readonly type: ErrorType;
  readonly store: string | undefined;
  readonly nextStep: string | undefined;

  constructor(type: ErrorType, message: string, context: ErrorContext = {}) {
    const where = context.store ? `${context.store}: ` : '';
    const next = context.nextStep ? ` ${context.nextStep}` : '';
    super(`${where}${message}${next}`, { cause: context.cause });
    this.name = type;
    this.type = type;
    this.store = context.store;
    this.nextStep = context.nextStep;
  }

  get errorClass(): ErrorClass {
    return errorClasses[this.type];
  }
}

/** Whether it is a {@link PenstockError} of one of these types. */
export function isType<Type extends ErrorType>(error: unknown, ...types: readonly Type[]): error is PenstockError & { readonly type: Type } {
  return error instanceof PenstockError && types.some((type) => type === error.type);
}

/** Whether trying again would be in vain. */
export const isFatal = (error: unknown): error is PenstockError => error instanceof PenstockError && error.errorClass === 'fatal';

/** For `.catch`: what is not there is undefined. @throws every other error */
export function absent(error: unknown): undefined {
  if (isType(error, 'NotFound')) return undefined;
  throw error;
}

/** For a person. Anything can be thrown, not only errors. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
