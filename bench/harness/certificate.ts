/** A certificate of its own for the loopback, made by OpenSSL: Node makes keys but no certificates. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { whichExecutable } from '../../dev/toolchain/find-tool.ts';

export interface Certificate {
  /** PEM files; the certificate is its own authority. */
  readonly certificate: string;
  readonly key: string;
}

const run = promisify(execFile);
const DAYS = '2';

export async function createCertificate(directory: string): Promise<Certificate> {
  const openssl = await whichExecutable('openssl');
  if (!openssl) throw new Error('openssl is not installed; the TLS cases need it (leave them out with --case memory/http)');
  const [certificate, key] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await run(openssl, ['req', '-x509', ...curve, '-days', DAYS, ...subject, '-keyout', key, '-out', certificate]);
  return { certificate, key };
}
