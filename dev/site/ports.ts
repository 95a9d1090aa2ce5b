/**
 * Loopback ports for the embedded site. They are chosen below the kernel's ephemeral range, so that no outgoing connection
 * can take a service's port between a crash and its restart.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { connect, createServer } from 'node:net';

export const LOOPBACK = '127.0.0.1';
const LOWEST_PORT = 20_000;
const HIGHEST_PORT = Math.min(readEphemeralStart(), 32_768) - 1;
const chosenHere = new Set<number>();

/** Another process may still take it before it is used: whoever binds it must be ready to ask again. */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && !chosenHere.has(preferred) && (await isFree(preferred))) return choose(preferred);
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT + 1));
    if (!chosenHere.has(port) && (await isFree(port))) return choose(port);
  }
  throw new Error(`no free port found between ${LOWEST_PORT} and ${HIGHEST_PORT}`);
}

/** A port handed out by {@link freePort} is not given again by this process until it is released. */
export function releasePort(port: number): void {
  chosenHere.delete(port);
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * Whether that very process listens on the port: an answer alone might come from another site's service that took the
 * port first.
 */
export async function listensOn(pid: number, port: number): Promise<boolean> {
  // Asked first: the kernel takes ten milliseconds to show its table where some thousand connections were closed of late.
  if (!(await accepts(port))) return false;
  const inodes = new Set(listeningSockets(port).map(({ inode }) => inode));
  if (inodes.size === 0) return false;
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
  return descriptors.some((descriptor) => {
    const inode = /^socket:\[(\d+)\]$/.exec(linkTarget(`/proc/${pid}/fd/${descriptor}`))?.[1];
    return inode !== undefined && inodes.has(inode);
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOOPBACK, port });
    const tell = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => tell(true)).once('error', () => tell(false));
  });
}

/** Whether any socket listens on the port of all addresses. */
export function listensBeyondLoopback(port: number): boolean {
  return listeningSockets(port).some(({ address }) => /^0+$/.test(address));
}

function choose(port: number): number {
  chosenHere.add(port);
  return port;
}

/** Rows of /proc/net/tcp: "SLOT: ADDRESS:PORT REMOTE STATE QUEUES TIMER RETRANSMITS UID TIMEOUT INODE ...", numbers in hexadecimal. */
function listeningSockets(port: number): { readonly address: string; readonly inode: string }[] {
  const LISTEN = '0A';
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => read(file).split('\n').slice(1));
  return rows.flatMap((row) => {
    const fields = row.trim().split(/\s+/);
    const [local, state, inode] = [fields[1], fields[3], fields[9]];
    return local?.endsWith(suffix) && state === LISTEN && inode ? [{ address: local.slice(0, -suffix.length), inode }] : [];
  });
}

function readEphemeralStart(): number {
  const start = Number(read('/proc/sys/net/ipv4/ip_local_port_range').split(/\s+/)[0]);
  return start > LOWEST_PORT + 1000 ? start : 32_768;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
