/**
 * The hot tier over the data-plane specification's storage API: POST /exports, GET /catalog, POST /snapshots,
 * POST /dataspace/prefetch, PATCH /exports/{id}/qos, GET /audit/logs, and the extensions that
 * dev/hot-tier-emulator/README.md lists. That table is an abstract contract; no product of a vendor speaks it literally.
 *
 * Nothing is retried here: every call may be repeated, and whoever calls (a Temporal activity) decides when.
 */
import pLimit from 'p-limit';
import type * as z from 'zod';
import { type ErrorType, PenstockError } from '../../model/errors.ts';
import { formatIssues } from '../../model/issues.ts';
import { parseJson } from '../../model/json.ts';
import type { HotTier } from './port.ts';
import * as answers from './vast-contract-schemas.ts';

export interface VastContractOptions {
  /** The store's name in the site file; errors say it. */
  readonly name: string;
  /** Such as "https://tier.example:8443"; a path in it is kept. */
  readonly endpoint: string;
  readonly token: string;
  readonly fetch?: typeof fetch;
}

/** Management APIs are rate limited: a site's thousand allocations come through a worker in a short queue, not at once. */
const CALLS_AT_ONCE = 8;
/** Snapshots may take long and are queued apart, so that they hold up nobody's floor. */
const SNAPSHOTS_AT_ONCE = 2;
/** A catalog question walks a tree; more than this is a tier that hangs. */
const CALL_TIMEOUT_MILLISECONDS = 60_000;
/** Where snapshots are real copies; a repeated call joins the copy under way. */
const SNAPSHOT_TIMEOUT_MILLISECONDS = 600_000;
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const MAX_MESSAGE_CHARACTERS = 1000;

interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly timeoutMilliseconds?: number;
}

/** @throws PenstockError InvalidInput where the endpoint is no URL or the token cannot stand in a header */
export function createVastContractHotTier(options: VastContractOptions): HotTier {
  const { name } = options;
  refuseUnusable(options);
  const turn = pLimit(CALLS_AT_ONCE);
  const snapshotTurn = pLimit(SNAPSHOTS_AT_ONCE);
  const ask = <S extends z.ZodType>(schema: S, call: Call) => turn(() => exchange(options, schema, call));
  const idStep = (id: string): string => encodeURIComponent(id);

  return {
    name,
    capacity: () => ask(answers.CapacitySchema, { method: 'GET', path: '/capacity' }),
    locate: (path) => ask(answers.LocalitySchema, { method: 'GET', path: '/catalog', query: { path } }),
    createExport: (request) => ask(answers.ExportSchema, { method: 'POST', path: '/exports', body: request }),
    setQos: (exportId, qos) => ask(answers.ExportSchema, { method: 'PATCH', path: `/exports/${idStep(exportId)}/qos`, body: qos }),
    createSnapshot: (request) =>
      snapshotTurn(() =>
        exchange(options, answers.SnapshotSchema, {
          method: 'POST',
          path: '/snapshots',
          body: request,
          timeoutMilliseconds: SNAPSHOT_TIMEOUT_MILLISECONDS,
        }),
      ),
    prefetch: (request) => ask(answers.PrefetchJobSchema, { method: 'POST', path: '/dataspace/prefetch', body: request }),
    prefetchJob: (jobId) => ask(answers.PrefetchJobSchema, { method: 'GET', path: `/dataspace/prefetch/${idStep(jobId)}` }),
    reserve: (request) => ask(answers.ReservationSchema, { method: 'POST', path: '/reservations', body: request }),
    async renewReservations(owner, expiresAt) {
      await ask(answers.ReservationsSchema, { method: 'PATCH', path: '/reservations', body: { owner, expiresAt } });
    },
    async evict(content) {
      await ask(answers.EvictionSchema, { method: 'POST', path: '/evictions', body: content });
    },
    holdings: (owner) => ask(answers.HoldingsSchema, { method: 'GET', path: '/holdings', query: { owner } }),
    async releaseHoldings(owner, kinds) {
      if (kinds.length === 0) return ask(answers.HoldingsSchema, { method: 'GET', path: '/holdings', query: { owner } });
      return ask(answers.HoldingsSchema, { method: 'DELETE', path: '/holdings', query: { owner, kinds: kinds.join(',') } });
    },
    async auditLog(path, { after, limit } = {}) {
      const page = {
        path,
        ...(after === undefined ? {} : { after: String(after) }),
        ...(limit === undefined ? {} : { limit: String(limit) }),
      };
      return (await ask(answers.AuditPageSchema, { method: 'GET', path: '/audit/logs', query: page })).entries;
    },
  };
}

function refuseUnusable({ name, endpoint, token }: VastContractOptions): void {
  if (!/^https?:$/.test(URL.parse(endpoint)?.protocol ?? '')) {
    throw new PenstockError('InvalidInput', `management.endpoint is ${JSON.stringify(endpoint)}, which is no http or https URL.`, {
      store: name,
      nextStep: 'Name the storage API, such as "https://tier.example:8443"; an embedded one has an address only while the site is up.',
    });
  }
  // fetch would refuse such a header too, and quote the token in its error.
  if (!/^[\x21-\x7e]*$/.test(token)) {
    throw new PenstockError('InvalidInput', 'management.token has a character that no HTTP header may have, such as a line end.', {
      store: name,
      nextStep: 'Look at the file or variable that the site file refers to.',
    });
  }
}

async function exchange<S extends z.ZodType>(options: VastContractOptions, schema: S, call: Call): Promise<z.output<S>> {
  const { status, text } = await send(options, call);
  const body = parseJson(text);
  if (status < 200 || status > 299) throw refusal(options.name, call, status, body);
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new PenstockError(
    'StoreUnavailable',
    `${call.method} ${call.path} answered ${status} with something else than its contract says (${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'unknown'}).`,
    { store: options.name, nextStep: 'Check that the endpoint is the storage API and of a version that this driver knows.' },
  );
}

async function send(options: VastContractOptions, call: Call): Promise<{ status: number; text: string }> {
  const url = new URL(`${options.endpoint.replace(/\/+$/, '')}${call.path}`);
  for (const [key, value] of Object.entries(call.query ?? {})) url.searchParams.set(key, value);
  try {
    const response = await (options.fetch ?? fetch)(url, {
      method: call.method,
      headers: {
        authorization: `Api-Token ${options.token}`,
        accept: 'application/json',
        ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      // A redirect would carry the token to wherever it points.
      redirect: 'error',
      signal: AbortSignal.timeout(call.timeoutMilliseconds ?? CALL_TIMEOUT_MILLISECONDS),
    });
    return { status: response.status, text: await readBounded(response) };
  } catch (error) {
    const timedOut = error instanceof Error && error.name === 'TimeoutError';
    throw new PenstockError(
      'StoreUnavailable',
      `${call.method} ${call.path} ${timedOut ? 'was not answered in time' : `failed on the way (${reasonOf(error)})`}.`,
      {
        store: options.name,
        nextStep: 'It is tried again; if that goes on, check that the storage API is up and reachable.',
        cause: error,
      },
    );
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`its answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** undici's "fetch failed" hides the reason in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const cause = error.cause instanceof Error ? error.cause : error;
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
}

function refusal(store: string, call: Call, status: number, body: unknown): PenstockError {
  const parsed = answers.RefusalSchema.safeParse(body);
  const code = parsed.success ? parsed.data.code : undefined;
  const said = parsed.success ? oneLine(parsed.data.message) : 'no reason given';
  const issues = parsed.success && parsed.data.issues ? ` ${oneLine(formatIssues(parsed.data.issues))}.` : '';
  const { type, nextStep } = meaningOf(status, code);
  return new PenstockError(type, `${call.method} ${call.path} answered ${status}: ${said}.${issues}`, { store, nextStep });
}

function meaningOf(status: number, code: string | undefined): { type: ErrorType; nextStep: string } {
  if (status === 409 && code === 'floor_exceeds_capacity') {
    return { type: 'FloorUnavailable', nextStep: 'Wait until other exports give their floors back, or ask for a lower floor.' };
  }
  switch (status) {
    case 400:
    case 413:
    case 422:
      return { type: 'InvalidInput', nextStep: 'Correct the request; repeating it as it is cannot succeed.' };
    case 401:
      return { type: 'Denied', nextStep: 'Check the token that the site file refers to.' };
    case 403:
      return { type: 'Denied', nextStep: 'Name a path on the tier, without links, that this token may use.' };
    case 404:
      return { type: 'NotFound', nextStep: 'Check the name; what had an expiry may have expired.' };
    case 409:
      return { type: 'Conflict', nextStep: 'Use a new key for a new request.' };
    case 429:
    case 503:
      return { type: 'StoreThrottled', nextStep: 'It is tried again, more slowly.' };
    case 507:
      return { type: 'OutOfSpace', nextStep: 'It goes on when space is given back.' };
    default:
      return status >= 500
        ? { type: 'StoreUnavailable', nextStep: 'It is tried again; if that goes on, look at the storage API itself.' }
        : { type: 'InvalidInput', nextStep: 'Check that the endpoint is the storage API and of a version that this driver knows.' };
  }
}

/** What a store says is shown to people: one line, bounded, nothing a terminal would obey. */
function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .slice(0, MAX_MESSAGE_CHARACTERS)
    .replace(/[.\s]+$/, '');
}
