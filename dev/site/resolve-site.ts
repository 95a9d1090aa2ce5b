/** The site file with every `embedded` replaced by where the part really is: the file that workers, CLI and tests read. */
import { stringify } from 'yaml';
import type { AuditSettings } from '../../model/audit-settings.ts';
import type { S3StoreConfig, Site } from '../../model/site.ts';
import { LOOPBACK } from './ports.ts';
import type { S3Credentials } from './secrets.ts';
import type { TemporalPorts } from './temporal-server.ts';

export type S3StoreName = 'hot' | 'warm' | 'cold' | 'racks';

export interface StartedGateway {
  readonly port: number;
  readonly credentials: S3Credentials;
}

/** What was started; what is absent keeps the setting of the site file. */
export interface StartedParts {
  readonly temporal?: TemporalPorts | undefined;
  readonly gateways: Readonly<Partial<Record<S3StoreName, StartedGateway>>>;
  readonly nfsPort?: number | undefined;
  readonly management?: { readonly port: number; readonly tokenReference: string } | undefined;
  /** References to the generated keys of the audit log. */
  readonly auditKeys?: { readonly key: string; readonly witnessKey: string } | undefined;
}

/** @param site with absolute paths */
export function resolveSite(site: Site, started: StartedParts): Site {
  const { temporal, gateways, nfsPort, management, auditKeys } = started;
  const { hot, warm, cold, racks } = site.stores;
  return {
    ...site,
    temporal: temporal ? { ...site.temporal, address: `${LOOPBACK}:${temporal.frontend}`, port: temporal.frontend, uiPort: temporal.ui } : site.temporal,
    stores: {
      ...site.stores,
      hot: {
        ...hot,
        s3: withGateway(hot.s3, gateways.hot),
        ...(hot.nfs ? { nfs: nfsPort === undefined ? withoutEmbeddedNfs(hot.nfs) : { enabled: true, address: LOOPBACK, port: nfsPort } } : {}),
        management: management
          ? { endpoint: `http://${LOOPBACK}:${management.port}`, port: management.port, token: management.tokenReference }
          : hot.management,
      },
      warm: withGateway(warm, gateways.warm),
      cold: withGateway(cold, gateways.cold),
      racks: withGateway(racks, gateways.racks),
    },
    ...(site.audit && auditKeys ? { audit: withKeys(site.audit, auditKeys) } : {}),
  };
}

const withKeys = (audit: AuditSettings, { key, witnessKey }: NonNullable<StartedParts['auditKeys']>): AuditSettings => ({
  ...audit,
  key: audit.key === 'embedded' ? key : audit.key,
  witnessKey: audit.witnessKey === 'embedded' ? witnessKey : audit.witnessKey,
});

export function renderSiteFile(site: Site): string {
  const comment = '# Written when the embedded site started: its addresses and references to its generated keys. Edit the source instead.\n';
  return comment + stringify(site, { aliasDuplicateObjects: false });
}

function withGateway<Access extends Pick<S3StoreConfig, 'endpoint' | 'port' | 'credentials'>>(access: Access, gateway: StartedGateway | undefined): Access {
  if (!gateway) return access;
  const { accessKeyId, secretAccessKey } = gateway.credentials;
  return {
    ...access,
    endpoint: `http://${LOOPBACK}:${gateway.port}`,
    port: gateway.port,
    credentials: { accessKeyId: accessKeyId.reference, secretAccessKey: secretAccessKey.reference },
  };
}

/** NFS with an address of its own is someone else's server and stays; the embedded one that was not started is off. */
function withoutEmbeddedNfs(nfs: NonNullable<Site['stores']['hot']['nfs']>): typeof nfs {
  return nfs.address === undefined ? { ...nfs, enabled: false } : nfs;
}
