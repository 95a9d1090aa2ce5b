/**
 * The bulk path to one store: requests signed here, over connections of its own. Everything it does the SDK can do too, several times dearer: where a server
 * answers in a way this path was not made for, the SDK is asked instead, and after a few such answers in a row always.
 */

import type { PartBody } from '../port.ts';
import { type RawAnswer, UnusualAnswer } from './answer.ts';
import { AnswerError } from './answer-error.ts';
import { BlockFault, type BlockSource, createBlockSource, TRAILER_NAME } from './blocks.ts';
import { openConnection } from './connection.ts';
import type { RawEndpoint } from './endpoint.ts';
import { createPool, type Lease } from './pool.ts';
import { createSigner, type Header, type SigningCredentials } from './sign.ts';
import { encodeKey } from './uri.ts';
import type { Drain, WireRequest } from './wire.ts';

export interface RawRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT';
  readonly bucket: string;
  readonly key: string;
  /** Encoded and in order of its names; '' where there is none. */
  readonly query?: string;
  readonly headers: readonly Header[];
  /** Without a `crc32c` among the headers, blocks are followed by theirs. */
  readonly body?: Buffer | PartBody;
  readonly into?: Buffer;
  readonly drain?: Drain;
  /** Hears the head that goes before it. */
  readonly told?: (headers: RawAnswer['headers']) => void;
  /** Sees each piece of it as it comes. */
  readonly seen?: (piece: Buffer) => void;
  readonly signal?: AbortSignal | undefined;
}
export interface RawResult extends RawAnswer {
  /** Base64, of a body that came in blocks. */
  readonly sentCrc32c: string | undefined;
}

export interface RawTransport {
  /** For retries by whoever is above: this repeats only what met a dead idle connection, or a clock that was wrong. @throws AnswerError for a status from 400 */
  send(request: RawRequest): Promise<RawResult>;
  /** By this path, else by the SDK. */
  orElse<T>(raw: () => Promise<T>, sdk: () => Promise<T>): Promise<T>;
}

/** What this path shares with the SDK's client, so that both sign alike. */
export interface RawIdentity {
  readonly region: string;
  credentials(): Promise<SigningCredentials>;
  /** Of the store's clock against ours, in milliseconds; kept in step with the SDK's. */
  clockOffsetMs(): number;
  setClockOffsetMs(offset: number): void;
}

const UNSIGNED = 'UNSIGNED-PAYLOAD';
const UNSIGNED_IN_CHUNKS = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
/** As the SDK has it: stores refuse from 15 minutes on, so a difference from here on explains a refusal. */
const SKEW_THRESHOLD_MS = 240_000;
/** So many unusual answers in a row, and the endpoint is one for the SDK. */
const UNUSUAL_LIMIT = 3;

/** The framing is named before what the content itself is encoded in. */
function inChunks(headers: readonly Header[]): Header[] {
  const encodings = headers.filter(([name]) => name === 'content-encoding').map(([, value]) => value);
  return [...headers.filter(([name]) => name !== 'content-encoding'), ['content-encoding', ['aws-chunked', ...encodings].join(',')]];
}

export function createRawTransport(endpoint: RawEndpoint, identity: RawIdentity, maxConnections: number): RawTransport {
  const signer = createSigner(endpoint.host, identity.region);
  const pool = createPool((onClose) => openConnection(endpoint, onClose), maxConnections);
  let unusualInRow = 0;

  const sign = (request: RawRequest, blocks: BlockSource | undefined, credentials: SigningCredentials): WireRequest => {
    const { method, bucket, key, query = '', headers, body } = request;
    const isTrailing = blocks !== undefined && !isPlain(request);
    const signed: readonly Header[] =
      isTrailing && body ? [...inChunks(headers), ['x-amz-decoded-content-length', String(lengthOf(body))], ['x-amz-trailer', TRAILER_NAME]] : headers;
    const path = `${endpoint.basePath}/${bucket}/${encodeKey(key)}`;
    const contentSha256 = isTrailing ? UNSIGNED_IN_CHUNKS : UNSIGNED;
    const head = signer.head({ method, path, query, headers: signed, contentSha256 }, credentials, Date.now() + identity.clockOffsetMs());
    const length = method === 'PUT' ? `content-length: ${blocks?.wireBytes ?? (body ? lengthOf(body) : 0)}\r\n` : '';
    return {
      head: `${head}${length}\r\n`,
      isHead: method === 'HEAD',
      body: blocks ?? (Buffer.isBuffer(body) && body.length > 0 ? body : undefined),
      into: request.into,
      drain: request.drain,
      told: request.told,
      seen: request.seen,
    };
  };

  /** One exchange; where a connection that had rested proves dead, one more over a fresh one. */
  const exchange = async (request: RawRequest, blocks: BlockSource | undefined): Promise<RawAnswer> => {
    for (let isFirst = true; ; isFirst = false) {
      const credentials = await identity.credentials();
      request.signal?.throwIfAborted();
      const lease = await pool.acquire(request.signal);
      try {
        return await callable(lease, sign(request, blocks, credentials), request.signal);
      } catch (error) {
        const isDead = lease.isReused && !lease.connection.answerBegan() && !(error instanceof UnusualAnswer || error instanceof BlockFault);
        if (!isFirst || !isDead || request.signal?.aborted || blocks?.isRepeatable() === false) throw error;
        pool.dropIdle();
      } finally {
        pool.release(lease.connection);
      }
    }
  };

  const exchangeInTime = async (request: RawRequest, blocks: BlockSource | undefined): Promise<RawAnswer> => {
    const answer = await exchange(request, blocks);
    if (answer.status < 400 || blocks?.isRepeatable() === false) return answer;
    const offset = offsetOf(answer);
    if (offset === undefined || Math.abs(offset - identity.clockOffsetMs()) < SKEW_THRESHOLD_MS) return answer;
    identity.setClockOffsetMs(offset);
    return exchange(request, blocks);
  };

  return {
    async send(request) {
      const blocks = request.body && !Buffer.isBuffer(request.body) ? createBlockSource(request.body, !isPlain(request)) : undefined;
      try {
        const answer = await exchangeInTime(request, blocks);
        unusualInRow = 0;
        if (answer.status >= 400) throw new AnswerError(answer);
        return { ...answer, sentCrc32c: blocks?.crc32c() };
      } catch (error) {
        if (request.signal?.aborted) throw calledOff(request.signal);
        if (error instanceof BlockFault) throw error.cause;
        throw error;
      } finally {
        blocks?.end();
      }
    },

    async orElse(raw, sdk) {
      if (unusualInRow >= UNUSUAL_LIMIT) return sdk();
      try {
        return await raw();
      } catch (error) {
        if (!(error instanceof UnusualAnswer)) throw error;
        unusualInRow += 1;
        return sdk();
      }
    },
  };
}

async function callable({ connection }: Lease, request: WireRequest, signal: AbortSignal | undefined): Promise<RawAnswer> {
  if (!signal) return connection.exchange(request);
  // While a connection was waited for: its event has passed, and would never be heard.
  if (signal.aborted) throw calledOff(signal);
  const stop = () => connection.destroy(calledOff(signal));
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await connection.exchange(request);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** By an answer's own clock. An answer out of a cache is of another time. */
function offsetOf({ headers }: RawAnswer): number | undefined {
  const time = Date.parse(headers.get('date') ?? '');
  return Number.isNaN(time) || headers.has('age') ? undefined : time - Date.now();
}

const isPlain = ({ headers }: RawRequest): boolean => headers.some(([name]) => name === TRAILER_NAME);
const lengthOf = (body: Buffer | PartBody): number => (Buffer.isBuffer(body) ? body.length : body.bytes);
/** Named as the SDK names it. */
const calledOff = (signal: AbortSignal): Error => Object.assign(new Error('The request was called off.', { cause: signal.reason }), { name: 'AbortError' });
