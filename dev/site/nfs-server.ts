/**
 * NFS-Ganesha over the hot tier's tree: NFSv4 on one port, for clients on loopback only. Its state lies in the site's directory,
 * so that two sites run side by side, and it cannot reach the machine's rpcbind, whose entries for a kernel NFS server it
 * would replace. Each file in the exports directory is one more export, read again at SIGHUP.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from './child.ts';
import { clientsOnLoopback, quotePath } from './nfs-exports.ts';
import { LOOPBACK, listensOn } from './ports.ts';
import type { ServiceDefinition } from './service.ts';

export const NFS_PSEUDO_PATH = '/hot';

export interface NfsServerOptions {
  readonly binary: string;
  readonly directory: string;
  readonly exportedTree: string;
  readonly exportsDirectory: string;
  readonly pidFile: string;
  readonly port: number;
}

export function nfsServer(options: NfsServerOptions): ServiceDefinition {
  return {
    name: 'nfs',
    command: () => nfsCommand(options),
    isReady: (child) => listensOn(child.identity.pid, options.port),
    readyTimeoutMilliseconds: 20_000,
    stopGraceMilliseconds: 5_000,
  };
}

function nfsCommand({ binary, directory, pidFile, ...options }: NfsServerOptions): Command {
  const configFile = join(directory, 'ganesha.conf');
  const servicesFile = join(directory, 'services');
  mkdirSync(options.exportsDirectory, { recursive: true });
  writeFileSync(configFile, ganeshaConfiguration({ binary, directory, pidFile, ...options }), { mode: 0o600 });
  writeFileSync(servicesFile, 'sunrpc 1/tcp\nsunrpc 1/udp\nnfs 2049/tcp\n');
  const flags = ['-F', '-L', '/dev/stderr', '-N', 'NIV_WARN', '-f', configFile, '-p', pidFile];
  return { wrapper: ['unshare', '--mount'], file: '/bin/sh', arguments: ['-c', withoutRpcbind, 'sh', servicesFile, binary, ...flags] };
}

/**
 * Ganesha has no switch for it: it asks rpcbind over its socket, then over loopback at the port that /etc/services calls sunrpc.
 * In a mount namespace of its own both lead nowhere.
 */
const withoutRpcbind = `
services=$1; shift
refuse() { echo "NFS would register with this machine's rpcbind: $1" >&2; exit 71; }
[ ! -e /etc/services ] || mount --bind "$services" /etc/services || refuse "cannot replace /etc/services for it"
[ ! -S /var/run/rpcbind.sock ] || mount --bind /dev/null /var/run/rpcbind.sock || refuse "cannot hide rpcbind's socket from it"
exec "$@"
`;

/**
 * Access is refused but for clients on loopback, as the port alone does not keep others out: with an IPv4 bind address
 * Ganesha 4.3 listens on every address where the machine has no IPv6 address beyond loopback.
 */
export function ganeshaConfiguration({ directory, exportedTree, exportsDirectory, port }: NfsServerOptions): string {
  return `NFS_CORE_PARAM {
  NFS_Port = ${port};
  Bind_addr = ${LOOPBACK};
  Protocols = 4;
  Enable_NLM = false;
  Enable_RQUOTA = false;
  Enable_UDP = false;
  mount_path_pseudo = true;
  Dbus_Name_Prefix = penstock${port};
}
NFS_KRB5 { Active_krb5 = false; }
NFSv4 {
  Graceless = true;
  Only_Numeric_Owners = true;
  RecoveryBackend = fs;
  RecoveryRoot = ${quotePath(join(directory, 'recovery'))};
}
EXPORT {
  Export_Id = 1;
  Path = ${quotePath(exportedTree)};
  Pseudo = ${NFS_PSEUDO_PATH};
  Protocols = 4;
  Transports = TCP;
  SecType = sys;
  Squash = No_Root_Squash;
  Access_Type = None;
  ${clientsOnLoopback('read-write')}
  FSAL { Name = VFS; }
}
%dir ${quotePath(exportsDirectory)}
`;
}
