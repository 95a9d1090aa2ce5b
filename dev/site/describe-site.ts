/** The addresses of a running site, for a person who wants to use it. */
import { relative } from 'node:path';
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
    'Submit an allocation:',
    `  npx penstock --site ${file} allocation submit examples/allocation.yaml`,
  ].join('\n');
}

function rows(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([label]) => label.length));
  return pairs.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`);
}
