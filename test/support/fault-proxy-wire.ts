/** The wire side of the fault proxy: answers in the server's place, or hands request and answer on, with one fault on the way. */
import { type Agent, type IncomingMessage, request as requestOf, type ServerResponse } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { type BodyFault, bodyTransform } from './fault-proxy-body.ts';
import type { AnsweringFault, Decision, FaultKind } from './fault-proxy-plan.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly agent: Agent;
  readonly server: { readonly hostname: string; readonly port: string };
  readonly decision: Decision;
  readonly tell: (outcome: string) => void;
}

/** As S3 words them. */
const errors: Readonly<Record<AnsweringFault, { readonly status: number; readonly code: string; readonly message: string }>> = {
  error500: { status: 500, code: 'InternalError', message: 'We encountered an internal error. Please try again.' },
  slowDown: { status: 503, code: 'SlowDown', message: 'Please reduce your request rate.' },
  tooManyRequests: { status: 429, code: 'TooManyRequests', message: 'Please reduce your request rate.' },
};

/** Where a body's length is not announced, faults lie in its beginning. */
const UNKNOWN_LENGTH_BYTES = 64 * 1024;

/** The connection lives on: Node's server reads what is left of the request away. */
export function answerInPlace({ request, response, decision, tell }: Exchange, fault: AnsweringFault): void {
  const { status, code, message } = errors[fault];
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message><RequestId>0</RequestId></Error>`);
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/xml');
  if (!decision.chunked) response.setHeader('Content-Length', body.length);
  tell(decision.chunked ? 'chunked' : 'with its length');
  if (request.method !== 'HEAD') response.write(body);
  response.end();
}

export function passOn(exchange: Exchange, fault: FaultKind | undefined): void {
  const { request, response, agent, server, tell } = exchange;
  if (request.socket.destroyed) return;
  if (request.headers.expect !== undefined) response.writeContinue();
  const upstream = requestOf({
    agent,
    hostname: server.hostname,
    port: server.port,
    method: request.method ?? '',
    path: request.url ?? '',
    headers: requestHeaders(request),
  });
  const reset = () => {
    upstream.destroy();
    request.socket.resetAndDestroy();
  };
  let isAnswered = false;
  upstream.once('response', (answer) => {
    isAnswered = true;
    handBack(exchange, answer, fault, reset);
  });
  upstream.on('error', (error) => {
    // A server that answers early may close before it has read the whole request.
    if (isAnswered || request.socket.destroyed) return;
    tell(`the server failed: ${error.message}`);
    reset();
  });
  response.once('close', () => {
    if (!response.writableFinished) upstream.destroy();
  });
  handOn(request, upstream, bodyFaultOf(exchange, fault, 'request', lengthOf(request), reset), reset);
}

function handBack(exchange: Exchange, answer: IncomingMessage, fault: FaultKind | undefined, reset: () => void): void {
  const { request, response, tell } = exchange;
  if (fault === 'resetAfter') {
    const lost = () => {
      tell(`a lost ${answer.statusCode}`);
      reset();
    };
    answer.once('end', lost);
    answer.resume();
    return;
  }
  response.sendDate = false;
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders);
  const length = request.method === 'HEAD' ? 0 : lengthOf(answer);
  const truncate = () => {
    answer.destroy();
    request.socket.destroySoon();
  };
  handOn(answer, response, bodyFaultOf(exchange, fault, 'answer', length, fault === 'truncateAnswer' ? truncate : reset), reset);
}

/** A body that breaks off by itself breaks the other side too. */
function handOn(from: Readable, to: Writable, fault: BodyFault | undefined, broken: () => void): void {
  from.on('error', broken);
  if (fault) from.pipe(bodyTransform(fault)).pipe(to);
  else from.pipe(to);
}

function bodyFaultOf(
  { decision, tell }: Exchange,
  fault: FaultKind | undefined,
  side: 'request' | 'answer',
  length: number | undefined,
  cut: () => void,
): BodyFault | undefined {
  const kind = bodyFaults[side][fault ?? 'none'];
  if (!kind) return undefined;
  if (kind === 'flip' && length === 0) {
    tell('no body to flip a bit of');
    return undefined;
  }
  const position = Math.floor(decision.at * (length ?? UNKNOWN_LENGTH_BYTES));
  const where = `at byte ${position} of ${length ?? 'an unknown number'}`;
  if (kind === 'flip') return { kind, position, bit: decision.bit, hit: () => tell(`${where}, bit ${decision.bit}`) };
  const hit = () => {
    tell(where);
    cut();
  };
  return { kind, position, hit };
}

type BodyFaults = Readonly<Partial<Record<FaultKind | 'none', BodyFault['kind']>>>;
const bodyFaults: Readonly<Record<'request' | 'answer', BodyFaults>> = {
  request: { resetInRequest: 'cut', flipRequest: 'flip' },
  answer: { resetInAnswer: 'cut', truncateAnswer: 'cut', flipAnswer: 'flip' },
};

function lengthOf({ headers }: IncomingMessage): number | undefined {
  if (headers['content-length'] !== undefined) return Number(headers['content-length']);
  return headers['transfer-encoding'] === undefined ? 0 : undefined;
}

/** As they came. A POST without any length is one without a body, which Node would send on as chunked. */
function requestHeaders(request: IncomingMessage): string[] {
  const hasNone = request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined;
  return hasNone && request.method === 'POST' ? [...request.rawHeaders, 'Content-Length', '0'] : request.rawHeaders;
}
