/** Ours as a child process, so that it is measured as the peers are: ours.ts, with Node's start and the loading of our modules in the figures. */
import { nodeCommand } from '../../dev/site/node-process.ts';
import type { Operation } from './cases.ts';
import { type Client, cleanEnvironment, type Place } from './client.ts';
import { isSmall, type Workload } from './workload.ts';

export function oursClient(): Client {
  return {
    name: 'ours',
    flags,
    command({ operation, workload, source, target }) {
      const gateways = [source, target].flatMap((place) => (place.kind === 'objects' ? [place.gateway] : []));
      const { accessKeyId, secretAccessKey, region, certificate } = gateways[0] ?? {};
      return {
        ...nodeCommand('bench/transfer/ours.ts', [...flags(operation, workload), url(source), url(target)]),
        environment: {
          ...cleanEnvironment(),
          AWS_ACCESS_KEY_ID: accessKeyId,
          AWS_SECRET_ACCESS_KEY: secretAccessKey,
          AWS_REGION: region,
          ...(certificate ? { NODE_EXTRA_CA_CERTS: certificate.certificate } : {}),
        },
      };
    },
  };
}

function flags(_operation: Operation, workload: Workload): readonly string[] {
  return [`--concurrency=${isSmall(workload) ? 32 : 8}`];
}

const url = (place: Place): string => (place.kind === 'directory' ? `file://${place.path}` : `${place.gateway.endpoint}/${place.bucket}/${place.prefix}`);
