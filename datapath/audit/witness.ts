/**
 * The witness: a second key that signs a checkpoint only where it continues every one that the witness signed before. What it signed lies in another store than the log, an
 * object a size, put only if none is there: so for one size it never signs two roots, and of two that run at once at least one sees what the other signed.
 */
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { absent, isType, PenstockError } from '../../model/errors.ts';
import { SYSTEM_BUCKET } from '../../model/location.ts';
import type { Hash } from './merkle.ts';
import { type Checkpoint, formatNote, parseCheckpoint, parseNote, type Signer, signedBy } from './note.ts';
import { isContinuation } from './proofs.ts';

export interface WitnessMemory {
  readonly store: ObjectStore;
  readonly prefix: string;
}
export interface WitnessRequest {
  /** The checkpoint with the log's signature. */
  readonly note: string;
  readonly logVerifier: string;
  /** That the checkpoint continues the log of this size. */
  readonly proofFrom: (size: number) => readonly Hash[];
}

/** A checkpoint and the key's signature below it, as the witness keeps it. */
export async function signedNotes({ store, prefix }: WitnessMemory): Promise<string[]> {
  const page = await store.list(SYSTEM_BUCKET, prefix).catch(absent);
  const notes = await Promise.all((page?.entries ?? []).map(({ key }) => store.readBytes(SYSTEM_BUCKET, key).catch(absent)));
  // The one that went away meanwhile gave way to a later one, which the next listing has.
  return notes.flatMap((note) => (note ? [note.toString('utf8')] : []));
}

/** Leaves of the longest log that was signed: it was as long once, so it is never shorter. 0 where nothing was. */
export async function longestSigned(memory: WitnessMemory): Promise<number> {
  return Math.max(0, ...(await signedBefore(memory)).map(({ size }) => size));
}

/** The witness's line below the note. @throws PenstockError Conflict where the checkpoint does not continue what was signed before */
export async function cosign(memory: WitnessMemory, signer: Signer, request: WitnessRequest, nowMs: number): Promise<string> {
  const note = parseNote(request.note);
  const checkpoint = parseCheckpoint(note.text);
  if (!signedBy(note, request.logVerifier)) throw refusal(memory, 'the checkpoint is not signed by the key of the log');
  refuseOther(memory, checkpoint, await signedBefore(memory), request);
  const line = signer.sign(note.text, nowMs);
  await remember(memory, checkpoint, formatNote(note.text, [line]));
  // Another may have signed since the first look; it sees this one, or this one sees it.
  const signed = await signedBefore(memory);
  refuseOther(memory, checkpoint, signed, request);
  for (const { size } of signed) if (size < checkpoint.size) await memory.store.remove(SYSTEM_BUCKET, keyOf(memory, size));
  return line;
}

const keyOf = ({ prefix }: WitnessMemory, size: number): string => `${prefix}${String(size).padStart(15, '0')}.txt`;
const signedBefore = async (memory: WitnessMemory): Promise<Checkpoint[]> => (await signedNotes(memory)).map((note) => parseCheckpoint(parseNote(note).text));

function refuseOther(memory: WitnessMemory, checkpoint: Checkpoint, signed: readonly Checkpoint[], { proofFrom }: WitnessRequest): void {
  for (const before of signed) {
    if (before.origin !== checkpoint.origin) throw refusal(memory, `it is of ${checkpoint.origin}, and ${before.origin} was signed before`);
    if (before.size > checkpoint.size) throw refusal(memory, `it has ${checkpoint.size} leaves, and ${before.size} were signed before`);
    const proof = before.size === checkpoint.size ? [] : proofFrom(before.size);
    if (!isContinuation(before, checkpoint, proof))
      throw refusal(memory, `at ${checkpoint.size} leaves it does not continue the ${before.size} that were signed before`);
  }
}

async function remember(memory: WitnessMemory, checkpoint: Checkpoint, note: string): Promise<void> {
  const key = keyOf(memory, checkpoint.size);
  try {
    await memory.store.writeBytes(SYSTEM_BUCKET, key, Buffer.from(note), { ifNoneMatch: true, contentType: 'text/plain; charset=utf-8' });
  } catch (error) {
    if (!isType(error, 'Conflict')) throw error;
    const before = parseCheckpoint(parseNote((await memory.store.readBytes(SYSTEM_BUCKET, key)).toString('utf8')).text);
    if (!before.root.equals(checkpoint.root)) throw refusal(memory, `another root was signed at ${checkpoint.size} leaves`);
  }
}

const refusal = ({ store }: WitnessMemory, why: string): PenstockError =>
  new PenstockError('Conflict', `The witness does not sign the checkpoint: ${why}.`, { store: store.name, nextStep: 'Run `penstock audit verify`.' });
