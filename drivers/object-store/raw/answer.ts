/** What a store answers, read strictly: whatever this does not understand is an {@link UnusualAnswer}, which another client may understand. */

export interface AnswerHead {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly keepsAlive: boolean;
  /** 'none' for a status without a body; 'chunked'; else bytes. */
  readonly length: number | 'none' | 'chunked';
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Of the body in the caller's buffer. */
  readonly bytes: number;
  /** Any other body. */
  readonly text: string;
}

/** The answer may be good HTTP, but is not what this path was made for; the SDK is asked instead. */
export class UnusualAnswer extends Error {
  constructor(what: string) {
    super(`The answer has ${what}.`);
    this.name = 'UnusualAnswer';
  }
}

const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: |$)/;
const FIELD_NAME = /^[\w!#$%&'*+.^`|~-]+$/;

/** @param head without its last empty line @throws UnusualAnswer */
export function parseHead(head: string, isAnswerToHead: boolean): AnswerHead {
  let end = lineEnd(head, 0);
  const matched = STATUS_LINE.exec(head.slice(0, end));
  if (!matched) throw new UnusualAnswer('no status line of HTTP/1');
  const status = Number(matched[2]);
  if (status < 200 || (status >= 300 && status < 400)) throw new UnusualAnswer(`status ${status}`);
  const headers = new Map<string, string>();
  while (end < head.length) {
    const start = end + 2;
    end = lineEnd(head, start);
    const colon = head.indexOf(':', start);
    const name = head.slice(start, colon).toLowerCase();
    if (colon === -1 || colon > end || !FIELD_NAME.test(name)) throw new UnusualAnswer('a malformed header');
    const value = head.slice(colon + 1, end).trim();
    if (name === 'content-length' && headers.has(name) && headers.get(name) !== value) throw new UnusualAnswer('two lengths');
    headers.set(name, value);
  }
  const keepsAlive = matched[1] === '1' && !/\bclose\b/i.test(headers.get('connection') ?? '');
  return { status, headers, keepsAlive, length: isAnswerToHead || status === 204 ? 'none' : bodyLength(headers) };
}

function bodyLength(headers: ReadonlyMap<string, string>): number | 'chunked' {
  const coding = headers.get('transfer-encoding');
  const length = headers.get('content-length');
  if (coding !== undefined) {
    if (coding.toLowerCase() !== 'chunked' || length !== undefined) throw new UnusualAnswer(`the transfer coding ${coding}`);
    return 'chunked';
  }
  if (length === undefined) throw new UnusualAnswer('no length');
  if (!/^\d{1,15}$/.test(length)) throw new UnusualAnswer(`the length ${length}`);
  return Number(length);
}

/** @returns undefined where more is to come; the content and the bytes it took where it is whole @throws UnusualAnswer */
export function decodeChunks(raw: Buffer): { readonly content: string; readonly taken: number } | undefined {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const end = raw.indexOf('\r\n', at, 'latin1');
    if (end === -1) return undefined;
    const size = /^([\da-f]{1,8})(?:;|$)/i.exec(raw.toString('latin1', at, end))?.[1];
    if (size === undefined) throw new UnusualAnswer('a malformed chunk');
    const bytes = Number.parseInt(size, 16);
    if (bytes === 0) {
      const trailerEnd = raw.indexOf('\r\n\r\n', end, 'latin1');
      return trailerEnd === -1 ? undefined : { content: Buffer.concat(chunks).toString('utf8'), taken: trailerEnd + 4 };
    }
    if (end + 2 + bytes + 2 > raw.length) return undefined;
    chunks.push(raw.subarray(end + 2, end + 2 + bytes));
    at = end + 2 + bytes + 2;
  }
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\r\n', from);
  return end === -1 ? text.length : end;
}
