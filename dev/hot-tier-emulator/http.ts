/**
 * The HTTP edge: every access is authenticated, answered in JSON and written into the audit log before its answer leaves.
 * An access that cannot be logged is not answered.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type * as z from 'zod';
import { parseInput } from '../../model/issues.ts';
import { ApiError } from './api-error.ts';
import type { Tier } from './tier.ts';

const MAX_BODY_BYTES = 256 * 1024;

/** What the audit log will say about this access; filled in as more becomes known. */
export interface AccessRecord {
  actor: string;
  operation: string;
  /** One line each; what the caller sent until it is known to be a path. */
  paths: readonly string[];
}
export interface Environment {
  Variables: { access: AccessRecord };
}
export type Call = Context<Environment>;

export function createHttp(tier: Tier): Hono<Environment> {
  const http = new Hono<Environment>();
  http.onError((error, call) => {
    const known = error instanceof ApiError ? error : new ApiError('internal', 'the emulator failed; its standard error says why');
    if (known !== error) tier.report(`${call.req.method} ${call.req.path}`, error);
    return call.json({ code: known.code, message: known.message, ...(known.issues && { issues: known.issues }) }, known.status);
  });
  http.notFound(() => {
    throw new ApiError('not_found', 'no such call; the README of this emulator lists them all');
  });
  http.use(async (call, next) => {
    const access: AccessRecord = { actor: 'unauthenticated', operation: `${call.req.method} ${call.req.path}`, paths: [call.req.query('path') ?? ''] };
    call.set('access', access);
    await next();
    const outcome = call.res.ok ? 'allowed' : 'refused';
    await tier.audit.append(access.paths.map((path) => ({ actor: access.actor, operation: access.operation, path, outcome })));
  });
  const expected = digest(`Api-Token ${tier.config.token}`);
  http.use(async (call, next) => {
    // Digests have equal length, so neither the token's length nor its matching part shows in the time taken.
    if (!timingSafeEqual(digest(call.req.header('authorization') ?? ''), expected)) {
      throw new ApiError('unauthenticated', 'the header "Authorization: Api-Token ..." is missing or names another token');
    }
    call.var.access.actor = 'management';
    await next();
  });
  http.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new ApiError('too_large', `a request has at most ${MAX_BODY_BYTES} bytes`);
      },
    }),
  );
  return http;
}

/** The parsed JSON body. Whose it is and which path it names is noted for the audit log first, so refusals show it too. */
export async function readBody<S extends z.ZodType>(call: Call, schema: S): Promise<z.output<S>> {
  const text = await call.req.text();
  const body = parseJson(text);
  note(call, body);
  return accept(schema, body);
}

export function readQuery<S extends z.ZodType>(call: Call, schema: S): z.output<S> {
  // A parameter given twice is refused by the schemas: an array is no string.
  const query = Object.fromEntries(Object.entries(call.req.queries()).map(([name, values]) => [name, values.length === 1 ? values[0] : values]));
  note(call, query);
  return accept(schema, query);
}

/** For calls that name a thing by id: the audit log shows the thing's owner and path. */
export function noteThing(call: Call, { owner, path }: { owner: string; path: string }): void {
  call.var.access.actor = owner;
  call.var.access.paths = [path];
}

function note(call: Call, input: unknown): void {
  if (typeof input !== 'object' || input === null) return;
  if ('owner' in input && typeof input.owner === 'string') call.var.access.actor = input.owner;
  if ('path' in input && typeof input.path === 'string') call.var.access.paths = [input.path];
}

function accept<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const parsed = parseInput(schema, input);
  if (parsed.ok) return parsed.value;
  throw new ApiError('invalid_input', `${parsed.issues.length === 1 ? 'a field is' : `${parsed.issues.length} fields are`} not as accepted`, parsed.issues);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError('invalid_input', 'the body is not JSON', [{ path: '', found: 'text that is not JSON', expected: 'a JSON object' }]);
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
