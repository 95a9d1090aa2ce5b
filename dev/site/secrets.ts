/** Generated keys of the embedded site: files only their owner can read, kept over restarts, named by reference everywhere else. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface GeneratedSecret {
  readonly value: string;
  /** For the site file: "file:PATH". */
  readonly reference: string;
}

export interface S3Credentials {
  readonly accessKeyId: GeneratedSecret;
  readonly secretAccessKey: GeneratedSecret;
}

export function generateSecret(directory: string, name: string, prefix = '', bytes = 24): Promise<GeneratedSecret> {
  return keptOrMade(join(directory, name), () => `${prefix}${randomBytes(bytes).toString('hex')}`);
}

/** An Ed25519 private key, PEM. */
export function generateSigningKey(directory: string, name: string): Promise<GeneratedSecret> {
  return keptOrMade(join(directory, name), () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().trim());
}

async function keptOrMade(file: string, make: () => string): Promise<GeneratedSecret> {
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
  const value = kept || make();
  if (!kept) await writePrivately(file, `${value}\n`);
  return { value, reference: `file:${file}` };
}

export async function generateS3Credentials(directory: string, store: string): Promise<S3Credentials> {
  return {
    accessKeyId: await generateSecret(directory, `s3-${store}.access-key-id`, 'PENSTOCK', 6),
    secretAccessKey: await generateSecret(directory, `s3-${store}.secret-access-key`),
  };
}

/** Appears whole and with mode 0600, never wider for a moment. */
export async function writePrivately(file: string, content: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, content, { mode: 0o600 });
  await rename(temporary, file);
}
