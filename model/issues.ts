/** Validation errors as data: the field's path, the value found and what would be accepted. Rendering is one function. */
import type * as z from 'zod';

export interface InputIssue {
  /** Such as `data.mounts[1].source`; empty for the whole input. */
  readonly path: string;
  readonly found: string;
  readonly expected: string;
}

type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly issues: readonly InputIssue[] };

/** Parses without throwing; unions report the branch that came nearest. */
export function parseInput<S extends z.ZodType>(schema: S, input: unknown): Parsed<z.output<S>> {
  const result = schema.safeParse(input);
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, issues: result.error.issues.flatMap((issue) => toInputIssues(issue, input)) };
}

export function formatIssues(issues: readonly InputIssue[]): string {
  return issues.map((issue) => `${issue.path || 'input'}: found ${issue.found}; accepted: ${issue.expected}`).join('\n');
}

export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? String(step) : `${text}.${String(step)}`;
  }, '');
}

function toInputIssues(issue: z.core.$ZodIssue, input: unknown): InputIssue[] {
  const path = formatPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: path === '' ? key : `${path}.${key}`,
      found: 'an unknown field',
      expected: 'no such field; check the spelling against the schema',
    }));
  }
  return [{ path, found: show(valueAt(input, issue.path)), expected: expectation(issue) }];
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected;
    case 'invalid_value':
      return issue.values.map((value) => JSON.stringify(value)).join(', ');
    case 'too_small':
      return `at least ${issue.minimum}${issue.origin === 'string' || issue.origin === 'array' ? ' long' : ''}`;
    case 'too_big':
      return `at most ${issue.maximum}${issue.origin === 'string' || issue.origin === 'array' ? ' long' : ''}`;
    default:
      return issue.message;
  }
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, step) => (typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined), input);
}

/** A value cut to a line; control characters cannot forge one, for JSON escapes them. */
function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
