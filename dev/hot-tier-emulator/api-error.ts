/** Every refusal leaves as JSON {code, message, issues?} with one of these statuses. */
import type { InputIssue } from '../../model/issues.ts';

const statuses = {
  invalid_input: 400,
  unauthenticated: 401,
  path_refused: 403,
  not_found: 404,
  key_conflict: 409,
  in_use: 409,
  floor_exceeds_capacity: 409,
  too_large: 413,
  limit_reached: 429,
  internal: 500,
  path_in_motion: 503,
  insufficient_capacity: 507,
} as const;

export type ErrorCode = keyof typeof statuses;

export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly issues: readonly InputIssue[] | undefined;

  constructor(code: ErrorCode, message: string, issues?: readonly InputIssue[]) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.issues = issues;
  }

  get status(): (typeof statuses)[ErrorCode] {
    return statuses[this.code];
  }
}

/** The errno name of a system error, such as "ENOENT". */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
