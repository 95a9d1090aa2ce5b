/** Ours as a child process, so that it is measured as the peers are: ours.ts, with Node's start and the loading of our modules in the figures. */
import { nodeCommand } from '../../dev/site/node-process.ts';
import { credentialsOf } from '../harness/gateway.ts';
import type { Operation } from './cases.ts';
import { type Client, cleanEnvironment, type Place } from './client.ts';
import { isSmall, type Workload } from './workload.ts';

export function oursClient(): Client {
  return {
    name: 'ours',
    flags,
    command({ operation, workload, source, target }) {
      const gateway = [source, target].flatMap((place) => (place.kind === 'objects' ? [place.gateway] : []))[0];
      return {
        ...nodeCommand('bench/transfer/ours.ts', [...flags(operation, workload), url(source), url(target)]),
        environment: {
          ...cleanEnvironment(),
          ...(gateway ? credentialsOf(gateway) : {}),
          ...(gateway?.certificate ? { NODE_EXTRA_CA_CERTS: gateway.certificate.certificate } : {}),
        },
      };
    },
  };
}

function flags(_operation: Operation, workload: Workload): readonly string[] {
  return [`--concurrency=${isSmall(workload) ? 32 : 8}`];
}

const url = (place: Place): string => (place.kind === 'directory' ? `file://${place.path}` : `${place.gateway.endpoint}/${place.bucket}/${place.prefix}`);
