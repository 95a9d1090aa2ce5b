/**
 * A seeded HTTP proxy on loopback that breaks things on the wire between a driver and a real server. What it does not break it hands on untouched, the
 * Host header too, so that signatures hold. The same seed and the same requests meet the same faults.
 */
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createPlanner, type FaultKind, type FaultPlan } from './fault-proxy-plan.ts';
import { answerInPlace, type Exchange, passOn } from './fault-proxy-wire.ts';
import { listenForHttp, stopServer } from './loopback-server.ts';

export interface FaultProxyOptions {
  /** `http://HOST:PORT` */
  readonly target: string;
  readonly seed: number;
  readonly plan: FaultPlan;
}
export interface FaultProxy {
  /** To be used in the target's place. */
  readonly endpoint: string;
  /** In the order in which requests were met. */
  readonly journal: readonly JournalLine[];
  /** No faults from here on; what stalls is cut. */
  calm(): void;
  /** Seed, plan and every fault so far: what a failing test has to print. */
  describe(): string;
  stop(): Promise<void>;
}
export interface JournalLine {
  readonly identity: string;
  readonly occurrence: number;
  /** Undefined where the request and its answer passed untouched. */
  readonly fault: FaultKind | undefined;
  /** What came of it, such as where the bit was flipped; filled in when it is known. */
  outcome: string;
}

export async function startFaultProxy({ target, seed, plan }: FaultProxyOptions): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const planner = createPlanner(seed, plan);
  const agent = new Agent({ keepAlive: true });
  const journal: JournalLine[] = [];
  const stalled = new Set<Socket>();
  let isCalm = false;

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const decision = planner({ method: request.method ?? '', path: request.url ?? '', range: request.headers.range });
    const fault = isCalm ? undefined : decision.fault;
    const line: JournalLine = { identity: decision.identity, occurrence: decision.occurrence, fault, outcome: '' };
    journal.push(line);
    const tell = (outcome: string) => {
      line.outcome = outcome;
    };
    // Either side may vanish at any time; whoever is concerned sees it by the stream it reads.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    meet({ request, response, agent, server: { hostname, port }, decision, tell }, fault, stalled);
  };
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, handle);
  server.on('checkContinue', handle);
  server.on('clientError', (_error, socket) => socket.destroy());

  return {
    endpoint: await listenForHttp(server),
    journal,
    calm() {
      isCalm = true;
      for (const socket of stalled) socket.resetAndDestroy();
    },
    describe() {
      const faults = journal.filter((line) => line.fault !== undefined);
      const lines = faults.map(({ identity, occurrence, fault, outcome }) => `  ${identity} #${occurrence}: ${fault}${outcome ? `, ${outcome}` : ''}`);
      return [`fault proxy: seed ${seed}, plan ${planText(plan)}, ${faults.length} faults in ${journal.length} requests`, ...lines].join('\n');
    },
    async stop() {
      await stopServer(server);
      agent.destroy();
    },
  };
}

function meet(exchange: Exchange, fault: FaultKind | undefined, stalled: Set<Socket>): void {
  const { socket } = exchange.request;
  switch (fault) {
    case 'error500':
    case 'slowDown':
    case 'tooManyRequests':
      answerInPlace(exchange, fault);
      return;
    case 'stall':
      stalled.add(socket);
      socket.once('close', () => stalled.delete(socket));
      return;
    case 'resetBefore':
      socket.resetAndDestroy();
      return;
    case 'delay':
      setTimeout(() => passOn(exchange, undefined), exchange.decision.delayMs);
      return;
    case undefined:
    case 'resetAfter':
    case 'resetInRequest':
    case 'resetInAnswer':
    case 'truncateAnswer':
    case 'flipRequest':
    case 'flipAnswer':
      passOn(exchange, fault);
      return;
    default:
      fault satisfies never;
  }
}

const planText = (plan: FaultPlan): string => JSON.stringify(plan, (_key, value: unknown) => (value instanceof RegExp ? String(value) : value));
