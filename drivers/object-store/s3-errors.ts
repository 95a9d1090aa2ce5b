/** Maps what the SDK throws to the closed set of {@link PenstockError}s, once and for every call. */
import { type ErrorType, PenstockError } from '../../model/errors.ts';

/** The codes S3 and its imitators answer; what is not listed is decided by the HTTP status. */
const typesByCode: Readonly<Record<string, ErrorType>> = {
  SlowDown: 'StoreThrottled',
  SlowDownRead: 'StoreThrottled',
  SlowDownWrite: 'StoreThrottled',
  Throttling: 'StoreThrottled',
  ThrottlingException: 'StoreThrottled',
  RequestLimitExceeded: 'StoreThrottled',
  TooManyRequests: 'StoreThrottled',
  ServiceUnavailable: 'StoreThrottled',
  RequestTimeout: 'StoreUnavailable',
  TimeoutError: 'StoreUnavailable',
  InternalError: 'StoreUnavailable',
  // Another conditional write is under way; its outcome decides, so ask again.
  ConditionalRequestConflict: 'StoreUnavailable',
  OperationAborted: 'StoreUnavailable',
  // A multipart upload that a sweep or a second attempt ended: a new one succeeds.
  NoSuchUpload: 'SessionLost',
  // The bytes were cut on their way; S3 stored nothing.
  IncompleteBody: 'StoreUnavailable',
  NoSuchKey: 'NotFound',
  NoSuchVersion: 'NotFound',
  NoSuchBucket: 'NotFound',
  NotFound: 'NotFound',
  AccessDenied: 'Denied',
  InvalidAccessKeyId: 'Denied',
  SignatureDoesNotMatch: 'Denied',
  ExpiredToken: 'Denied',
  ObjectLocked: 'Denied',
  PreconditionFailed: 'Conflict',
  BucketAlreadyExists: 'Conflict',
  ObjectParentIsFile: 'Conflict',
  ExistingObjectIsDirectory: 'Conflict',
  QuotaExceeded: 'OutOfSpace',
  BucketQuotaExceeded: 'OutOfSpace',
  XMinioAdminBucketQuotaExceeded: 'OutOfSpace',
  XMinioStorageFull: 'OutOfSpace',
  InsufficientStorage: 'OutOfSpace',
  EntityTooLarge: 'InvalidInput',
  KeyTooLongError: 'InvalidInput',
  InvalidObjectState: 'RestorePending',
  // The source of a copy is archived.
  ObjectNotInActiveTierError: 'RestorePending',
  // No capacity for this tier now; another one is taken at once.
  GlacierExpeditedRetrievalNotAvailable: 'RestorePending',
  BadDigest: 'ChecksumMismatch',
  XAmzContentChecksumMismatch: 'ChecksumMismatch',
  XAmzContentSHA256Mismatch: 'ChecksumMismatch',
  NotImplemented: 'PolicyRefused',
};

const typesByStatus: Readonly<Record<number, ErrorType>> = {
  401: 'Denied',
  403: 'Denied',
  404: 'NotFound',
  408: 'StoreUnavailable',
  409: 'Conflict',
  412: 'Conflict',
  429: 'StoreThrottled',
  501: 'PolicyRefused',
  503: 'StoreThrottled',
  507: 'OutOfSpace',
};

const nextSteps: Partial<Record<ErrorType, string>> = {
  OutOfSpace: 'It goes on by itself once there is room.',
  RestorePending: 'It is archived: `penstock recall` brings it back, by another --tier where one has no capacity.',
  Denied: "Check the store's credentials, its policy and whether a retention holds the object.",
};

/** @returns a PenstockError; an abort and an error already mapped are handed back as they are */
export function s3Error(error: unknown, store: string, subject: string): Error {
  if (error instanceof PenstockError) return error;
  // Of the blocks that a caller gives: its own, about another store.
  if (error instanceof Error && error.cause instanceof PenstockError) return error;
  if (error instanceof Error && error.name === 'AbortError') return error;
  const type = s3ErrorType(error);
  const nextStep = nextSteps[type];
  return new PenstockError(type, `${subject}: ${describe(error)}.`, { store, cause: error, ...(nextStep ? { nextStep } : {}) });
}

export function s3ErrorType(error: unknown): ErrorType {
  const status = httpStatus(error);
  const text = `${s3ErrorCode(error)} ${s3Message(error)}`;
  // A store on a file system hands its full disk on as an InternalError with this text.
  if (/ENOSPC|EDQUOT|no space left|disk quota exceeded/i.test(text)) return 'OutOfSpace';
  const byCode = typesByCode[s3ErrorCode(error)];
  if (byCode) return byCode;
  if (status === undefined) return 'StoreUnavailable'; // no answer at all: refused, reset, timed out, no such host
  // A success that cannot be read was damaged on its way.
  return typesByStatus[status] ?? (status >= 500 || status < 300 ? 'StoreUnavailable' : 'InvalidInput');
}

export function s3ErrorCode(error: unknown): string {
  return textProperty(error, 'name') || textProperty(error, 'Code');
}

export function httpStatus(error: unknown): number | undefined {
  const status = property(property(error, '$metadata'), 'httpStatusCode');
  return typeof status === 'number' ? status : undefined;
}

function describe(error: unknown): string {
  const code = s3ErrorCode(error);
  const status = httpStatus(error);
  // A HEAD has no body, so the SDK knows no message but its own filler.
  const message = s3Message(error)
    .replace(/^UnknownError$/, '')
    .replace(/\.+$/, '');
  const kind = [code === 'Error' ? '' : code, status ?? ''].filter((part) => part !== '').join(' ');
  return [kind, message].filter((part) => part !== '' && part !== kind).join(', ') || 'no answer';
}

function s3Message(error: unknown): string {
  const message = textProperty(error, 'message');
  if (message !== '') return message;
  return textProperty(error, 'code'); // an AggregateError of several refused addresses has no message
}

function textProperty(value: unknown, name: string): string {
  const found = property(value, name);
  return typeof found === 'string' ? found : '';
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
