/** Where a store listens, and how a socket to it is opened. */
import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, getCACertificates, type SecureContext } from 'node:tls';

export interface RawEndpoint {
  /** As the Host header has it. */
  readonly host: string;
  /** Before every bucket; '' nearly always. */
  readonly basePath: string;
  /** The event that says a request can be sent. */
  readonly readyEvent: 'connect' | 'secureConnect';
  open(onread: OnReadOpts): Socket;
}

/** @param secureContext trusts what it trusts; without it, what Node trusts, NODE_EXTRA_CA_CERTS included */
export function createEndpoint(address: string, secureContext?: SecureContext): RawEndpoint {
  const url = new URL(address);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isTls = url.protocol === 'https:';
  const port = Number(url.port || (isTls ? 443 : 80));
  const basePath = url.pathname.replace(/\/+$/, '');
  const shared = { host: url.host, basePath };
  if (!isTls) {
    return { ...shared, readyEvent: 'connect', open: (onread) => connectTcp({ host, port, noDelay: true, keepAlive: true, onread }) };
  }
  const context = secureContext ?? createSecureContext();
  let session: Buffer | undefined;
  return {
    ...shared,
    readyEvent: 'secureConnect',
    open(onread) {
      // tls.connect hands `onread` to its socket as net.connect does, though its types do not say so.
      const options = { host, port, secureContext: context, onread, ...(isIP(host) ? {} : { servername: host }), ...(session ? { session } : {}) };
      const socket = connectTls(options);
      socket.setNoDelay(true);
      socket.on('session', (fresh: Buffer) => {
        session = fresh;
      });
      return socket;
    },
  };
}

/** Trusts an authority of the site's own beside those Node trusts. @param ca PEM */
export function trustAlso(ca: string): SecureContext {
  return createSecureContext({ ca: [...getCACertificates('default'), ca] });
}
