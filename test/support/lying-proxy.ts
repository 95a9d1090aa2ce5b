/** An HTTP proxy on loopback through which a store seems to do what it does not: it answers in the store's place, or with another clock. */
import { Agent, createServer, request as send } from 'node:http';
import { listenForHttp, stopServer } from './loopback-server.ts';

export interface Lie {
  /** Answered in the store's place, which does not see the request. */
  readonly status?: number;
  readonly body?: string;
  /** Of the store's own answer: its clock, as an HTTP date. */
  readonly date?: string;
}
export interface LyingProxy {
  /** To be used in the target's place. */
  readonly endpoint: string;
  stop(): Promise<void>;
}

/** @param lie undefined where the truth is told */
export async function startLyingProxy(target: string, lie: (method: string, url: string) => Lie | undefined): Promise<LyingProxy> {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const told = lie(method, url);
    if (told?.status !== undefined) {
      request.resume().on('end', () => response.writeHead(told.status ?? 200, { 'content-type': 'application/xml' }).end(told.body));
      return;
    }
    // The Host header too is handed on, so that signatures hold.
    const onward = send({ hostname, port, agent, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...(told?.date === undefined ? {} : { date: told.date }) });
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  return {
    endpoint: await listenForHttp(server),
    async stop() {
      await stopServer(server);
      agent.destroy();
    },
  };
}
