/** Reads the YAML or JSON files that people and schedulers write: bounded in size and aliases, one clear message where broken. */
import { readFile, stat } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import { messageOf } from '../../model/errors.ts';
import { CliError } from '../cli-error.ts';

/** An allocation with 32 mounts and 512 nodes takes some 60 kB. */
const LIMIT_BYTES = 1 << 20;
const ALIAS_LIMIT = 100;

/** The parsed content, not yet held to any schema. `-` is standard input. @throws CliError usage */
export async function readDocument(file: string): Promise<unknown> {
  const text = file === '-' ? await readStandardInput() : await readLimited(file);
  const document = parseDocument(text, { prettyErrors: true });
  const [first] = document.errors;
  if (first) throw new CliError('usage', `${file} is neither YAML nor JSON: ${first.message.trim()}`);
  try {
    return document.toJS({ maxAliasCount: ALIAS_LIMIT });
  } catch (error) {
    throw new CliError('usage', `${file}: ${messageOf(error)}`, { cause: error });
  }
}

async function readLimited(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > LIMIT_BYTES) throw tooLarge(file);
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError('usage', `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes > LIMIT_BYTES) throw tooLarge('standard input');
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const tooLarge = (what: string): CliError => new CliError('usage', `${what} has more than ${LIMIT_BYTES} bytes, which no declaration needs.`);
