/** The addresses of a running site, for a person who wants to use it. */
import { dirname, relative } from 'node:path';
import type { Site } from '../../model/site.ts';
import { EXAMPLE_BUCKET, EXAMPLE_PREFIX } from './example-data.ts';
import type { RunningSite } from './start-site.ts';

export function describeSite({ site, siteFile, uiUrl }: Pick<RunningSite, 'site' | 'siteFile' | 'uiUrl'>): string {
  const { hot, warm, cold, racks } = site.stores;
  const nfs = hot.nfs?.enabled && hot.nfs.address ? `${hot.nfs.address}:/hot, port ${hot.nfs.port} (NFSv4)` : 'off';
  const file = relative('.', siteFile);
  return [
    `site ${site.name} is up`,
    ...rows([
      ['Temporal UI', uiUrl ?? 'as your own Temporal has it'],
      ['Temporal', `${site.temporal.address}, namespace ${site.temporal.namespace}`],
      ['hot tier, S3', hot.s3.endpoint],
      ['hot tier, NFS', nfs],
      ['hot tier, management', hot.management.endpoint],
      ['warm, S3', warm.endpoint],
      ['cold, S3', cold.endpoint],
      ['racks, S3', racks.endpoint],
      ['site file', file],
    ]),
    '',
    ...describeUpload(site),
    '',
    'Submit an allocation:',
    `  npx penstock --site ${file} allocation submit examples/allocation.yaml`,
  ].join('\n');
}

/** How to put data in: the keys by the files they lie in, never themselves. Nothing where the site's keys are not in files. */
export function describeUpload({ stores: { warm } }: Site): string[] {
  const { accessKeyId, secretAccessKey } = warm.credentials ?? {};
  if (!accessKeyId?.startsWith(FILE) || !secretAccessKey?.startsWith(FILE)) return [];
  return [
    `Put data into the warm store by any S3 tool; its keys lie in ${dirname(shown(accessKeyId))}/ (s5cmd takes the same variables and --endpoint-url):`,
    `  export AWS_ACCESS_KEY_ID=$(cat ${shown(accessKeyId)}) AWS_SECRET_ACCESS_KEY=$(cat ${shown(secretAccessKey)}) AWS_REGION=${warm.region}`,
    `  aws --endpoint-url ${warm.endpoint} s3 cp FILE s3://${EXAMPLE_BUCKET}/${EXAMPLE_PREFIX}`,
  ];
}

const FILE = 'file:';
const shown = (reference: string): string => relative('.', reference.slice(FILE.length));

function rows(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([label]) => label.length));
  return pairs.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`);
}
