/** The S3 server of a benchmark: versitygw as the embedded site starts it, over plain HTTP or TLS, the same for every client. */
import { join } from 'node:path';
import { freePort, LOOPBACK, listensOn, releasePort } from '../../dev/site/ports.ts';
import { gatewayFlags, type S3GatewayOptions, s3Gateway } from '../../dev/site/s3-gateway.ts';
import { startService } from '../../dev/site/service.ts';
import { resolveTool } from '../../dev/toolchain/resolve-tool.ts';
import type { Certificate } from './certificate.ts';
import type { Workspace } from './workspace.ts';

export interface Gateway {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly certificate?: Certificate;
  /** A bucket is a directory of it. */
  readonly root: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const REGION = 'us-east-1';
/** Nothing of worth lies behind these, and the server listens on the loopback only. */
const CREDENTIALS = { accessKeyId: 'benchmark', secretAccessKey: 'benchmark-secret' };

export async function startGateway(workspace: Workspace, parts: { name: string; root: string; logs: string; certificate?: Certificate }): Promise<Gateway> {
  const { path: binary } = await resolveTool('versitygw');
  const port = await freePort();
  const options: S3GatewayOptions = { name: parts.name, binary, root: parts.root, port, region: REGION, ...CREDENTIALS };
  const plain = s3Gateway(options);
  const command = plain.command();
  const tls = parts.certificate ? ['--cert', parts.certificate.certificate, '--key', parts.certificate.key] : [];
  const service = await startService(
    {
      ...plain,
      command: () => ({ ...command, arguments: [...tls, ...command.arguments] }),
      isReady: parts.certificate ? (child) => listensOn(child.identity.pid, port) : plain.isReady,
    },
    { logDirectory: parts.logs, log: (line) => process.stderr.write(`${line}\n`) },
  );
  const stop = async (): Promise<void> => {
    forget();
    await service.stop();
    releasePort(port);
  };
  const forget = workspace.onLeave(stop);
  return {
    endpoint: `${parts.certificate ? 'https' : 'http'}://${LOOPBACK}:${port}`,
    region: REGION,
    ...CREDENTIALS,
    ...(parts.certificate ? { certificate: parts.certificate } : {}),
    root: parts.root,
    pid: service.pid,
    stop,
  };
}

/** As every client of S3 takes them. */
export const credentialsOf = ({ accessKeyId, secretAccessKey, region }: Gateway) => ({
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey,
  AWS_REGION: region,
});

/** For the report. */
export function describeFlags(): string {
  return gatewayFlags({ name: '', binary: '', root: 'ROOT', port: 0, region: REGION, ...CREDENTIALS }).join(' ');
}

export const bucketDirectory = (gateway: Gateway, bucket: string, prefix: string): string => join(gateway.root, bucket, prefix);
