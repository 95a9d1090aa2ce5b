/**
 * One keep-alive connection, one request at a time. Its socket reads straight into a buffer that is chosen before every read: a head into a small one of the
 * connection's own, a body into the caller's, so that bulk bytes are copied by the kernel and by nobody else.
 */
import { type AnswerHead, decodeChunks, parseHead, type RawAnswer, UnusualAnswer } from './answer.ts';
import type { BlockSource } from './blocks.ts';
import type { RawEndpoint } from './endpoint.ts';
import { type Connection, SCRATCH_BYTES, type WireRequest } from './wire.ts';

/** As s3-client.ts has them: a listener answers within a second or is down; silence, not slowness, is what ends an exchange. */
const CONNECT_TIMEOUT_MS = 5_000;
const SILENCE_TIMEOUT_MS = 120_000;
/** A body that is not the caller's is XML of a few hundred bytes. */
const MAX_TEXT_BYTES = 2 ** 20;
const NO_BYTES = Buffer.alloc(0);

interface Exchange extends WireRequest {
  resolve(answer: RawAnswer): void;
  reject(error: Error): void;
}

export function openConnection(endpoint: RawEndpoint, onClose: () => void): Connection {
  const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  const outgoing = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  let current: Exchange | undefined;
  let answer: AnswerHead | undefined;
  /** Bytes of the head, or of chunks, so far. */
  let have = 0;
  let target: Buffer = NO_BYTES;
  let filled = 0;
  /** Of a body that is drained: handed out already, and to come behind `target`. */
  let drained = 0;
  let left = 0;
  /** Waits for the next buffer. What comes first behind that is read into `scratch`, for the socket asks for its buffer before it pauses. */
  let isPaused = false;
  let isDetour = false;
  /** What came nevertheless: TLS hands over all that it has decrypted, at most 64 KiB. */
  let backlog = NO_BYTES;
  let isSending = false;
  let began = false;
  let usable = true;
  let chunks: Buffer = NO_BYTES;

  const socket = endpoint.open({
    buffer: () => {
      isDetour = isPaused;
      if (isDetour) return scratch;
      if (target.length > 0) return filled === 0 ? target : target.subarray(filled);
      return have === 0 ? scratch : scratch.subarray(have);
    },
    callback: (bytes) => {
      try {
        take(bytes);
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
      return !isPaused;
    },
  });
  socket.setTimeout(CONNECT_TIMEOUT_MS);
  socket.once(endpoint.readyEvent, () => socket.setTimeout(SILENCE_TIMEOUT_MS));
  socket.on('timeout', () => fail(named('TimeoutError', 'the connection stayed silent')));
  socket.on('error', fail);
  socket.on('end', () => fail(named('ConnectionEnded', 'the connection ended before the answer did')));
  socket.on('close', () => {
    fail(named('ConnectionEnded', 'the connection was closed before the answer was whole'));
    onClose();
  });

  function take(bytes: number): void {
    if (!current) throw new UnusualAnswer('no request');
    began = true;
    if (isDetour && answer) {
      feed(current, scratch.subarray(0, bytes));
      return;
    }
    if (target.length > 0) {
      if (isContent(answer?.status ?? 0)) current.seen?.(target.subarray(filled, filled + bytes));
      filled += bytes;
      if (filled === target.length) filledUp(current);
      return;
    }
    have += bytes;
    if (answer) {
      takeChunks(scratch.subarray(0, have));
      return;
    }
    const end = scratch.indexOf('\r\n\r\n', Math.max(0, have - bytes - 3), 'latin1');
    if (end === -1 || end + 4 > have) {
      if (have === SCRATCH_BYTES) throw new UnusualAnswer('too large a head');
      return;
    }
    answer = parseHead(scratch.toString('latin1', 0, end), current.isHead);
    beginBody(current, answer, scratch.subarray(end + 4, have));
  }

  /** Bytes of the body that lie elsewhere than where they belong. */
  function feed(exchange: Exchange, piece: Buffer): void {
    for (let rest = piece; rest.length > 0; ) {
      if (current !== exchange) throw new UnusualAnswer('bytes behind its end');
      if (isPaused) {
        backlog = Buffer.concat([backlog, rest]);
        return;
      }
      const bytes = rest.copy(target, filled);
      exchange.seen?.(target.subarray(filled, filled + bytes));
      filled += bytes;
      rest = rest.subarray(bytes);
      if (filled === target.length) filledUp(exchange);
    }
  }

  function filledUp(exchange: Exchange): void {
    const { drain } = exchange;
    if (!drain || filled === 0 || !isContent(answer?.status ?? 0)) {
      finish();
      return;
    }
    drained += filled;
    filled = 0;
    const next = drain.take(target);
    target = NO_BYTES;
    if (left === 0) {
      finish();
    } else if (Buffer.isBuffer(next)) {
      refill(next);
    } else {
      isPaused = true;
      socket.setTimeout(0);
      next
        .then((buffer) => resume(exchange, buffer))
        .catch((error: unknown) => {
          if (current === exchange) fail(error instanceof Error ? error : new Error(String(error)));
        });
    }
  }

  function resume(exchange: Exchange, buffer: Buffer): void {
    if (current !== exchange) return;
    refill(buffer);
    isPaused = false;
    const late = backlog;
    backlog = NO_BYTES;
    feed(exchange, late);
    if (isPaused) return;
    if (current === exchange) socket.setTimeout(SILENCE_TIMEOUT_MS);
    socket.resume();
  }

  function refill(buffer: Buffer): void {
    target = buffer.subarray(0, Math.min(left, buffer.length));
    left -= target.length;
  }

  function beginBody(exchange: Exchange, { status, headers, length }: AnswerHead, first: Buffer): void {
    const { drain, into, told, seen } = exchange;
    const isIntended = into !== undefined && isContent(status);
    if (length === 'chunked') {
      if (isIntended) throw new UnusualAnswer('a chunked body');
      takeChunks(first);
      return;
    }
    const bytes = length === 'none' ? 0 : length;
    if (isIntended && bytes > (drain?.bytes ?? into.length)) {
      usable = false;
      finish(bytes);
      return;
    }
    if (isIntended) told?.(headers);
    if (!isIntended && bytes > MAX_TEXT_BYTES) throw new UnusualAnswer('too long a text');
    if (first.length > bytes) throw new UnusualAnswer('bytes behind its end');
    left = bytes;
    if (bytes > 0) refill(isIntended ? into : Buffer.allocUnsafe(bytes));
    filled = first.copy(target);
    if (isIntended && filled > 0) seen?.(target.subarray(0, filled));
    have = 0;
    if (filled === target.length) filledUp(exchange);
  }

  function takeChunks(piece: Buffer): void {
    chunks = Buffer.concat([chunks, piece]);
    have = 0;
    if (chunks.length > MAX_TEXT_BYTES) throw new UnusualAnswer('too long a text');
    const decoded = decodeChunks(chunks);
    if (!decoded) return;
    if (decoded.taken < chunks.length) throw new UnusualAnswer('bytes behind its end');
    finish(0, decoded.content);
  }

  /** @param bytes the body's in the caller's buffer, or announced for it */
  function finish(bytes = drained + filled, text?: string): void {
    const done = current;
    if (!done || !answer) return;
    const { status, headers, keepsAlive } = answer;
    const isIntended = done.into !== undefined && isContent(status);
    const said = text ?? (isIntended ? '' : target.toString('utf8', 0, filled));
    // What is left of a body would be taken for the next request; and a success without it is none.
    const isEarly = isSending || socket.writableLength > 0;
    if (isEarly && status < 300) throw new UnusualAnswer('come before the whole body was sent');
    if (!keepsAlive || isEarly) usable = false;
    reset();
    if (!usable) socket.destroy();
    done.resolve({ status, headers, bytes: isIntended ? bytes : 0, text: said });
  }

  function fail(error: Error): void {
    const failed = current;
    usable = false;
    reset();
    socket.destroy();
    failed?.reject(error);
  }

  function reset(): void {
    current = undefined;
    answer = undefined;
    have = 0;
    target = NO_BYTES;
    filled = 0;
    drained = 0;
    left = 0;
    isPaused = false;
    backlog = NO_BYTES;
    chunks = NO_BYTES;
  }

  function write(pieces: readonly (Buffer | string)[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const last = pieces.length - 1;
      socket.cork();
      for (const [index, piece] of pieces.entries()) {
        const done = index === last ? (error?: Error | null) => (error ? reject(error) : resolve()) : undefined;
        if (typeof piece === 'string') socket.write(piece, 'latin1', done);
        else socket.write(piece, done);
      }
      socket.uncork();
    });
  }

  function send({ head, body }: WireRequest): void {
    if (!body) {
      socket.write(head, 'latin1');
    } else if (!Buffer.isBuffer(body)) {
      sendBlocks(head, body);
    } else if (head.length + body.length <= SCRATCH_BYTES) {
      // The last request's bytes have left it: a connection whose writes were not taken before the answer came is not used again.
      const end = outgoing.write(head, 'latin1');
      body.copy(outgoing, end);
      socket.write(outgoing.subarray(0, end + body.length));
    } else {
      socket.cork();
      socket.write(head, 'latin1');
      socket.write(body);
      socket.uncork();
    }
  }

  function sendBlocks(head: string, body: BlockSource): void {
    const sent = current;
    isSending = true;
    socket.write(head, 'latin1');
    body.send(write).then(
      () => {
        isSending = false;
      },
      (error: unknown) => {
        if (current === sent) fail(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  return {
    exchange: (request) =>
      new Promise((resolve, reject) => {
        current = { ...request, resolve, reject };
        began = false;
        if (socket.destroyed) fail(named('ConnectionEnded', 'the connection is closed'));
        else send(request);
      }),
    isUsable: () => usable && current === undefined && !socket.destroyed,
    answerBegan: () => began,
    destroy: fail,
    rest: () => void socket.unref(),
    wake: () => void socket.ref(),
  };
}

const isContent = (status: number): boolean => status === 200 || status === 206;
const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });
