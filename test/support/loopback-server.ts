/** Servers of a test's own, on loopback. */
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';

/** @returns the port: any that is free, where none is given */
export async function listen(server: Server, port = 0): Promise<number> {
  server.listen({ host: '127.0.0.1', port });
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return address.port;
}

/** @returns `http://127.0.0.1:PORT` */
export const listenForHttp = async (server: HttpServer): Promise<string> => `http://127.0.0.1:${await listen(server)}`;

/** Whoever is connected is cut off. */
export async function stopServer(server: HttpServer): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
