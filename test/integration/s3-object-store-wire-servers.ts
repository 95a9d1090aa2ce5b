/** Servers that stand in a store's way: a proxy that counts and cuts, and one that answers byte by byte what a test says. */
import { connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { listen } from '../support/loopback-server.ts';

/** To be called when the tests are over; servers add themselves. */
export const closers: (() => Promise<unknown>)[] = [];

/** Between a store and its gateway, which is at `upstream`. */
export async function proxy(upstream: URL, serverOf: (onSocket: (socket: Socket) => void) => Server = (onSocket) => createTcpServer(onSocket)) {
  const sockets = new Set<Socket>();
  let most = 0;
  let seen = 0;
  const server = serverOf((socket) => {
    sockets.add(socket);
    seen += 1;
    most = Math.max(most, sockets.size);
    const onward = connect(Number(upstream.port), upstream.hostname);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket) && onward.destroy());
    onward.on('error', () => undefined).on('close', () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  });
  const cut = () => sockets.forEach((socket) => void (socket instanceof TLSSocket ? socket.destroy() : socket.resetAndDestroy()));
  const stop = () => new Promise((resolve) => server.close(resolve) && cut());
  closers.push(stop);
  const port = await listen(server);
  return {
    port,
    endpoint: `http://127.0.0.1:${port}`,
    cut,
    stop,
    restart: () => listen(server, port),
    most: () => most,
    seen: () => seen,
    open: () => sockets.size,
  };
}

/** A server that does as it is told by each request's head; `nth` counts a connection's requests, `heard` waits for the body. */
export async function wire(handle: (head: string, socket: Socket, nth: number, heard: Promise<void>) => void) {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    let text = '';
    let nth = 0;
    let body = { left: 0, done: () => {} };
    const take = (chunk: string): void => {
      if (body.left > 0) {
        body.left -= chunk.length;
        if (body.left === 0) body.done();
        return;
      }
      text += chunk;
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = text.slice(0, end);
      const rest = text.slice(end + 4);
      text = '';
      nth += 1;
      const left = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
      const heard =
        left === 0
          ? Promise.resolve()
          : new Promise<void>((done) => {
              body = { left, done };
            });
      handle(head, socket, nth, heard);
      if (left > 0 && rest.length > 0) take(rest);
    };
    socket.on('error', () => undefined).on('data', (chunk) => take(chunk.toString('latin1')));
  });
  closers.push(() => new Promise((resolve) => server.close(resolve) && sockets.forEach((socket) => void socket.destroy())));
  return { endpoint: `http://127.0.0.1:${await listen(server)}`, sockets };
}
