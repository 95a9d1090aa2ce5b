/**
 * rclone at its best on two cores. Verification stays as it is by default: an MD5 of each file as metadata, and a HEAD of each uploaded object; what is
 * left out is what only a synchronizing tool needs (looking at the target first, the source's modification time by a HEAD per object).
 */
import { resolveTool } from '../../dev/toolchain/resolve-tool.ts';
import type { Gateway } from '../harness/gateway.ts';
import type { Operation } from './cases.ts';
import { type Client, cleanEnvironment, type Place } from './client.ts';
import { isSmall, type Workload } from './workload.ts';

const STREAMS_FROM_BYTES = 32 * 2 ** 20;

export async function rcloneClient(): Promise<Client> {
  const { path } = await resolveTool('rclone');
  return {
    name: 'rclone',
    flags,
    command: ({ operation, workload, source, target }) => ({
      file: path,
      arguments: ['copy', ...flags(operation, workload), ...authority(source, target), remote(source), remote(target)],
      environment: { ...cleanEnvironment(), RCLONE_CONFIG: '/dev/null', ...remoteSettings(source), ...remoteSettings(target) },
    }),
  };
}

/**
 * Tried on two cores; a setting that is not named was as good by default. Uploads saturate both cores whatever is set, and more transfers take only memory;
 * in parts they cost a third more than in one piece. A large file comes down at less than half the CPU time in several streams, which rclone would not use
 * below 256 MiB by itself.
 */
function flags(operation: Operation, workload: Workload): readonly string[] {
  const common = ['--no-check-dest', '--use-server-modtime', '--retries=1'];
  if (isSmall(workload)) return [...common, '--transfers=32', '--checkers=8'];
  if (workload.bytesEach < STREAMS_FROM_BYTES) return [...common, '--transfers=8'];
  if (operation === 'down') return [...common, '--transfers=4', '--multi-thread-cutoff=32M', '--multi-thread-streams=4', '--multi-thread-write-buffer-size=1M'];
  return workload.files === 1 ? [...common, '--s3-chunk-size=16M', '--s3-upload-concurrency=8'] : [...common, '--transfers=4'];
}

const remote = (place: Place): string => (place.kind === 'directory' ? place.path : `${remoteName(place.gateway)}:${place.bucket}/${place.prefix}`);

/** One gateway is one remote: between two names rclone would not let the server copy. */
const remoteName = ({ endpoint }: Gateway): string => `GATEWAY${new URL(endpoint).port}`;

function remoteSettings(place: Place): Record<string, string> {
  if (place.kind === 'directory') return {};
  const { endpoint, region, accessKeyId, secretAccessKey } = place.gateway;
  const credentials = { ACCESS_KEY_ID: accessKeyId, SECRET_ACCESS_KEY: secretAccessKey };
  const settings = { TYPE: 's3', PROVIDER: 'Other', ENDPOINT: endpoint, REGION: region, NO_CHECK_BUCKET: 'true', ...credentials };
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [`RCLONE_CONFIG_${remoteName(place.gateway)}_${name}`, value]));
}

function authority(...places: readonly Place[]): readonly string[] {
  const certificate = places.flatMap((place) => (place.kind === 'objects' && place.gateway.certificate ? [place.gateway.certificate.certificate] : []))[0];
  return certificate === undefined ? [] : [`--ca-cert=${certificate}`];
}
