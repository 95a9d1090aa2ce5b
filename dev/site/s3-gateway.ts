/**
 * versitygw over a directory tree: a bucket is a directory. The hot tier's tree is shared with NFS users, who may plant
 * symbolic links, and the gateway follows links; so it sees that tree only through a `nosymfollow` mount in a mount namespace
 * of its own, which vanishes with it.
 */
import { mkdirSync } from 'node:fs';
import type { Command } from './child.ts';
import { LOOPBACK, listensOn } from './ports.ts';
import type { ServiceDefinition } from './service.ts';

export interface S3GatewayOptions {
  readonly name: string;
  readonly binary: string;
  readonly root: string;
  readonly port: number;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Keeps versions there; Object Lock needs it. */
  readonly versioningDirectory?: string;
  /** Keeps metadata there, where the tree's file system has no extended attributes. */
  readonly sidecarDirectory?: string;
  /** An empty directory through which the tree is served, without following symbolic links. */
  readonly mountWithoutLinks?: string;
}

const HEALTH_PATH = '/penstock-health';
/** What {@link mountScript} exits with where the mount cannot be made or does not hold. */
export const NO_SAFE_MOUNT_EXIT_CODE = 71;

export function s3Gateway(options: S3GatewayOptions): ServiceDefinition {
  return {
    name: options.name,
    command: () => gatewayCommand(options),
    isReady: async (child) => {
      if (!(await listensOn(child.identity.pid, options.port))) return false;
      const response = await fetch(`http://${LOOPBACK}:${options.port}${HEALTH_PATH}`, { signal: AbortSignal.timeout(2000) });
      await response.body?.cancel();
      return response.ok;
    },
    readyTimeoutMilliseconds: 20_000,
    stopGraceMilliseconds: 5_000,
  };
}

export function gatewayFlags(options: S3GatewayOptions): string[] {
  return [
    '--quiet',
    '--keep-alive',
    '--health',
    HEALTH_PATH,
    '--region',
    options.region,
    '--port',
    `${LOOPBACK}:${options.port}`,
    'posix',
    '--data-integrity-etag', // the checksum kept for integrity serves as the ETag too, which spares an MD5 of every byte
    ...(options.versioningDirectory ? ['--versioning-dir', options.versioningDirectory] : []),
    ...(options.sidecarDirectory ? ['--sidecar', options.sidecarDirectory] : []),
    options.mountWithoutLinks ?? options.root,
  ];
}

function gatewayCommand(options: S3GatewayOptions): Command {
  if (options.sidecarDirectory) mkdirSync(options.sidecarDirectory, { recursive: true });
  const environment = {
    ...withoutGatewayVariables(),
    ROOT_ACCESS_KEY: options.accessKeyId,
    ROOT_SECRET_KEY: options.secretAccessKey,
  };
  const flags = gatewayFlags(options);
  if (!options.mountWithoutLinks) return { file: options.binary, arguments: flags, environment };
  return {
    wrapper: process.getuid?.() === 0 ? ['unshare', '--mount'] : ['unshare', '--user', '--map-root-user', '--mount'],
    file: '/bin/sh',
    arguments: ['-c', mountScript, 'sh', options.root, options.mountWithoutLinks, options.binary, ...flags],
    environment,
  };
}

/** The mount's effect is tried, not believed: a link that can be followed through it ends the start. */
const mountScript = `
tree=$1 view=$2; shift 2
refuse() { echo "cannot serve $tree safely over S3: $1" >&2; exit ${NO_SAFE_MOUNT_EXIT_CODE}; }
mount --bind "$tree" "$view" || refuse "a bind mount is not allowed here"
mount -o remount,bind,nosymfollow "$view" || refuse "no nosymfollow mounts here (Linux 5.10 and util-linux 2.38 have them)"
probe=".penstock-link-probe.$$"
ln -s / "$tree/$probe" || refuse "the tree is not writable"
seen=no; [ -L "$view/$probe" ] && seen=yes
followed=no; [ -e "$view/$probe" ] && followed=yes
rm -f "$tree/$probe"
[ $seen = yes ] || refuse "the bind mount does not show the tree"
[ $followed = no ] || refuse "the nosymfollow mount follows symbolic links"
exec "$@"
`;

/** The user's own gateway settings and cloud keys must not leak into the embedded gateways. */
function withoutGatewayVariables(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VGW_|AWS_|ROOT_(ACCESS|SECRET)_)/.test(name)));
}
