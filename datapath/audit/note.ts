/**
 * Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature): a text, a blank line, and lines of signatures, each `— NAME BASE64` with four
 * bytes of key id before the signature. The log signs the text; the witness signs it together with the time at which it did.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { PenstockError } from '../../model/errors.ts';
import type { Hash } from './merkle.ts';

export type KeyRole = 'log' | 'witness';

export interface Signer {
  readonly verifier: string;
  readonly role: KeyRole;
  /** @param nowMs when; only a witness says it */
  sign(text: string, nowMs: number): string;
}
interface Verifier {
  readonly name: string;
  readonly id: Buffer;
  readonly role: KeyRole;
  readonly key: KeyObject;
}
export interface Note {
  /** With its final line feed. */
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly bytes: Buffer }[];
}
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
}

const ROLE_BYTES: Readonly<Record<KeyRole, number>> = { log: 0x01, witness: 0x04 };
/** The DER of an Ed25519 public key before its 32 bytes. */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const ID_BYTES = 4;
const TIME_BYTES = 8;

/** @throws PenstockError InvalidInput where the PEM is no Ed25519 private key; never with what it holds */
export function openSigner(pem: string, name: string, role: KeyRole): Signer {
  const key = privateKeyOf(pem, name);
  const raw = createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(SPKI.length);
  const id = keyId(name, role, raw);
  return {
    role,
    verifier: `${name}+${id.toString('hex')}+${Buffer.concat([Buffer.from([ROLE_BYTES[role]]), raw]).toString('base64')}`,
    sign(text, nowMs) {
      const time = Math.floor(nowMs / 1000);
      const stamp = Buffer.alloc(role === 'witness' ? TIME_BYTES : 0);
      if (role === 'witness') stamp.writeBigUInt64BE(BigInt(time));
      return signatureLine(name, Buffer.concat([id, stamp, sign(null, Buffer.from(signedText(text, role, time)), key)]));
    },
  };
}

function privateKeyOf(pem: string, name: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // What Node says may quote the key.
  }
  throw new PenstockError('InvalidInput', `the key of ${name} is no Ed25519 private key in PEM.`, {
    nextStep: 'Make one by `openssl genpkey -algorithm ed25519`.',
  });
}

/** Base64, whatever name and role it is used under. */
export const publicKeyOf = ({ verifier }: Signer): string => parseVerifier(verifier).key.export({ type: 'spki', format: 'der' }).toString('base64');

const verifiers = new Map<string, Verifier>();

/** @throws TypeError where it is no verifier key, or its id is not that of its key */
export function parseVerifier(text: string): Verifier {
  const known = verifiers.get(text);
  if (known) return known;
  const [name = '', hex = '', ...rest] = text.split('+');
  const bytes = Buffer.from(rest.join('+'), 'base64');
  const role: KeyRole = bytes[0] === ROLE_BYTES.log ? 'log' : 'witness';
  const raw = bytes.subarray(1);
  const isSound = bytes.length === 33 && bytes[0] === ROLE_BYTES[role] && keyId(name, role, raw).toString('hex') === hex;
  if (!isSound) throw new TypeError(`${JSON.stringify(text)} is no verifier key`);
  const verifier = { name, id: Buffer.from(hex, 'hex'), role, key: createPublicKey({ key: Buffer.concat([SPKI, raw]), format: 'der', type: 'spki' }) };
  // A log has a key a year or so; what a forger writes must not fill the memory.
  if (verifiers.size < 1000) verifiers.set(text, verifier);
  return verifier;
}

function verifierOf(text: string): Verifier | undefined {
  try {
    return parseVerifier(text);
  } catch {
    return undefined;
  }
}

const keyId = (name: string, role: KeyRole, raw: Buffer): Buffer =>
  createHash('sha256')
    .update(`${name}\n`)
    .update(Buffer.from([ROLE_BYTES[role]]))
    .update(raw)
    .digest()
    .subarray(0, ID_BYTES);

const signedText = (text: string, role: KeyRole, time: bigint | number): string => (role === 'witness' ? `cosignature/v1\ntime ${time}\n${text}` : text);
const signatureLine = (name: string, bytes: Buffer): string => `— ${name} ${bytes.toString('base64')}\n`;

export const formatNote = (text: string, signatures: readonly string[]): string => `${text}\n${signatures.join('')}`;

/** @throws TypeError where it is no signed note */
export function parseNote(note: string): Note {
  const split = note.lastIndexOf('\n\n');
  const lines = note.slice(split + 2).split('\n');
  if (split < 0 || lines.pop() !== '' || lines.length === 0) throw new TypeError('it is no signed note');
  const signatures = lines.map((line) => {
    const [dash, name = '', base64 = '', ...rest] = line.split(' ');
    const bytes = Buffer.from(base64, 'base64');
    if (dash !== '—' || name === '' || rest.length > 0 || bytes.toString('base64') !== base64 || bytes.length <= ID_BYTES)
      throw new TypeError('a line of it is no signature');
    return { name, bytes };
  });
  return { text: note.slice(0, split + 1), signatures };
}

/** Whether this key signed the note; of a witness, when. What is no key has signed nothing. */
export function signedBy(note: Note, verifierText: string): { readonly atMs?: number } | undefined {
  const verifier = verifierOf(verifierText);
  if (!verifier) return undefined;
  const { name, id, role, key } = verifier;
  for (const signature of note.signatures) {
    if (signature.name !== name || !signature.bytes.subarray(0, ID_BYTES).equals(id)) continue;
    const stamped = role === 'witness' ? TIME_BYTES : 0;
    if (signature.bytes.length !== ID_BYTES + stamped + 64) continue;
    const time = role === 'witness' ? signature.bytes.readBigUInt64BE(ID_BYTES) : 0n;
    if (!verify(null, Buffer.from(signedText(note.text, role, time)), key, signature.bytes.subarray(ID_BYTES + stamped))) continue;
    return role === 'witness' ? { atMs: Number(time) * 1000 } : {};
  }
  return undefined;
}

export const formatCheckpoint = ({ origin, size, root }: Checkpoint): string => `${origin}\n${size}\n${root.toString('base64')}\n`;

/** @throws TypeError where the text is no checkpoint */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', root = '', end, ...rest] = text.split('\n');
  const hash = Buffer.from(root, 'base64');
  const isSound =
    origin !== '' && /^(0|[1-9]\d{0,14})$/.test(size) && hash.length === 32 && hash.toString('base64') === root && end === '' && rest.length === 0;
  if (!isSound) throw new TypeError('it is no checkpoint: an origin, a size and a root, a line each');
  return { origin, size: Number(size), root: hash };
}
