/** s5cmd at its best on two cores. It moves between a directory and an endpoint, or within one; not between two. */
import { resolveTool } from '../../dev/toolchain/resolve-tool.ts';
import { credentialsOf } from '../harness/gateway.ts';
import type { Operation } from './cases.ts';
import { type Client, cleanEnvironment, type Place } from './client.ts';
import { isSmall, type Workload } from './workload.ts';

export async function s5cmdClient(): Promise<Client> {
  const { path } = await resolveTool('s5cmd');
  return {
    name: 's5cmd',
    flags: (operation, workload) => [...globalFlags(operation, workload), ...copyFlags(operation, workload)],
    command({ operation, workload, source, target }) {
      const gateway = [source, target].flatMap((place) => (place.kind === 'objects' ? [place.gateway] : []))[0];
      if (!gateway || operation === 'stream') return undefined;
      return {
        file: path,
        arguments: [
          ...globalFlags(operation, workload),
          '--endpoint-url',
          gateway.endpoint,
          'cp',
          ...copyFlags(operation, workload),
          `${url(source)}/*`,
          `${url(target)}/`,
        ],
        environment: {
          ...cleanEnvironment(),
          ...credentialsOf(gateway),
          ...(gateway.certificate ? { AWS_CA_BUNDLE: gateway.certificate.certificate } : {}),
        },
      };
    },
  };
}

/** Without `--log=error` it prints a line for each file. Few files need few workers; the default of 256 is best for small downloads, but halves small uploads. */
function globalFlags(operation: Operation, workload: Workload): readonly string[] {
  const workers = isSmall(workload) ? (operation === 'down' ? 256 : 64) : 32;
  return ['--log=error', `--numworkers=${workers}`];
}

/** Uploads in parts cost the gateway half as much again, so parts are as large as the files; downloads gain from smaller ones. */
function copyFlags(operation: Operation, workload: Workload): readonly string[] {
  return isSmall(workload) ? [] : ['--concurrency=4', `--part-size=${operation === 'down' ? 16 : 64}`];
}

const url = (place: Place): string => (place.kind === 'directory' ? place.path : `s3://${place.bucket}/${place.prefix}`);
