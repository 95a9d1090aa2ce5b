/**
 * NFS-Ganesha over the hot tier's tree: NFSv4 on one loopback port, without rpcbind, kernel NFS or D-Bus. Its own state
 * lies in the site's directory, so that two sites run side by side.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceDefinition } from './service.ts';
import { listensOn, LOOPBACK } from './ports.ts';

export const NFS_PSEUDO_PATH = '/hot';

export interface NfsServerOptions {
  readonly binary: string;
  readonly directory: string;
  readonly exportedTree: string;
  readonly port: number;
}

export function nfsServer(options: NfsServerOptions): ServiceDefinition {
  const configFile = join(options.directory, 'ganesha.conf');
  return {
    name: 'nfs',
    command() {
      writeFileSync(configFile, ganeshaConfiguration(options), { mode: 0o600 });
      return {
        file: options.binary,
        arguments: ['-F', '-L', '/dev/stderr', '-N', 'NIV_WARN', '-f', configFile, '-p', join(options.directory, 'ganesha.pid')],
      };
    },
    isReady: (child) => listensOn(child.identity.pid, options.port),
    readyTimeoutMilliseconds: 20_000,
    stopGraceMilliseconds: 5_000,
  };
}

export function ganeshaConfiguration({ directory, exportedTree, port }: NfsServerOptions): string {
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
  RecoveryRoot = ${quote(join(directory, 'recovery'))};
}
EXPORT {
  Export_Id = 1;
  Path = ${quote(exportedTree)};
  Pseudo = ${NFS_PSEUDO_PATH};
  Protocols = 4;
  Transports = TCP;
  SecType = sys;
  Access_Type = RW;
  Squash = No_Root_Squash;
  FSAL { Name = VFS; }
}
`;
}

function quote(path: string): string {
  if (/["\\\n]/.test(path)) throw new Error(`NFS cannot export ${JSON.stringify(path)}: choose a directory without quotes, backslashes and line breaks`);
  return `"${path}"`;
}
