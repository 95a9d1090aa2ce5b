/** Reads a site file and the secrets it refers to. Errors name the file, the field or the reference; never a secret's value. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { messageOf, PenstockError } from '../model/errors.ts';
import { formatIssues, parseInput } from '../model/issues.ts';
import { type S3StoreConfig, type Site, SiteSchema } from '../model/site.ts';

const SITE_FILE_LIMIT_BYTES = 1 << 20; // twenty racks take 3 kB; a thousand nodes 100 kB
const SECRET_LIMIT_BYTES = 64 << 10;
/** Aliases may repeat a store's settings; nested ones could otherwise grow a small file into gigabytes. */
const ALIAS_LIMIT = 100;
const SCHEMA_HINT = 'Correct the file; docs/configuration.md explains every field.';

/** @throws PenstockError InvalidInput with every wrong field, or NotFound */
export async function loadSiteFile(path: string): Promise<Site> {
  const text = await readLimited(path, SITE_FILE_LIMIT_BYTES, 'site file');
  const parsed = parseInput(SiteSchema, parseYaml(path, text));
  if (!parsed.ok) throw invalid(`site file ${path}:\n${formatIssues(parsed.issues)}`);
  return parsed.value;
}

/**
 * The value behind "env:NAME" or "file:PATH", without the line break at its end. Relative paths are below `baseDirectory`.
 * @throws PenstockError InvalidInput naming the reference
 */
export async function resolveSecret(reference: string, baseDirectory = '.'): Promise<string> {
  const value = reference.startsWith('env:') ? process.env[reference.slice(4)] : await readSecretFile(reference, baseDirectory);
  if (value === undefined || value === '') {
    throw new PenstockError('InvalidInput', `the secret ${reference} is ${value === '' ? 'empty' : 'not set'}.`, { nextStep: 'Provide it.' });
  }
  return value;
}

/** Keys of an S3 store; empty where the site file names none, and the store's answer then says so. */
export async function resolveS3Credentials({ credentials }: Pick<S3StoreConfig, 'credentials'>): Promise<{ accessKeyId: string; secretAccessKey: string }> {
  if (!credentials) return { accessKeyId: '', secretAccessKey: '' };
  return { accessKeyId: await resolveSecret(credentials.accessKeyId), secretAccessKey: await resolveSecret(credentials.secretAccessKey) };
}

/** The directory below which a site file's relative secret references lie. */
export const secretBaseDirectory = (siteFile: string): string => dirname(resolve(siteFile));

async function readSecretFile(reference: string, baseDirectory: string): Promise<string> {
  if (!reference.startsWith('file:')) {
    // What stands here may be the secret itself, put where a reference belongs: it is not repeated.
    throw new PenstockError('InvalidInput', 'a secret must be a reference, "env:NAME" or "file:PATH".');
  }
  const text = await readLimited(resolve(baseDirectory, reference.slice(5)), SECRET_LIMIT_BYTES, `secret ${reference}:`);
  return text.replace(/\r?\n$/, '');
}

function parseYaml(path: string, text: string): unknown {
  const document = parseDocument(text, { prettyErrors: true });
  const [first] = document.errors;
  if (first) throw invalid(`site file ${path} is not valid YAML: ${first.message.trim()}`);
  try {
    return document.toJS({ maxAliasCount: ALIAS_LIMIT });
  } catch (error) {
    throw invalid(`site file ${path}: ${messageOf(error)}`, error);
  }
}

async function readLimited(path: string, limitBytes: number, what: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > limitBytes) throw invalid(`${what} ${path} has ${size} bytes, more than ${limitBytes}.`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof PenstockError) throw error;
    const reason = messageOf(error);
    throw new PenstockError(reason.startsWith('ENOENT') ? 'NotFound' : 'InvalidInput', `${what} cannot be read: ${reason}.`, { cause: error });
  }
}

function invalid(message: string, cause?: unknown): PenstockError {
  return new PenstockError('InvalidInput', `${message}\n${SCHEMA_HINT}`, { cause });
}
