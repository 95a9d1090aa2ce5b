/** What follows from a sealed segment: hashes, index, the checkpoint with both signatures, and the end of its batches. Each step may be repeated, by whoever finds it undone. */
import { removeBatch } from './batch.ts';
import { IndexRecordSchema, indexOf, packPage, packRecord } from './index-record.ts';
import { names, SEGMENTS_PER_PAGE } from './layout.ts';
import { filesOf, type LockedLog, tampered, writeDerived } from './locked-log.ts';
import { grow, rootOf, type Tree } from './merkle.ts';
import { formatCheckpoint, formatNote, parseNote, type Signer, signedBy } from './note.ts';
import { consistencyProof, rangeRootSince } from './proofs.ts';
import { hashLines, packHashes, type Segment, treeBefore } from './segment.ts';
import { cosign } from './witness.ts';

/** @returns the tree with the segment */
export async function completeSegment(log: LockedLog, segment: Segment, nowMs: number): Promise<Tree> {
  const { header, lines } = segment;
  const { number, sealedAt } = header;
  const before = treeBefore(header);
  const hashes = hashLines(lines);
  const tree = grow(before, hashes);
  const text = formatCheckpoint({ origin: header.origin, size: tree.size, root: rootOf(tree) });

  await writeDerived(log, names.leaves(number), packHashes(hashes), sealedAt);
  await writeDerived(log, names.index(number), packRecord(indexOf(segment)), sealedAt);
  if ((number + 1) % SEGMENTS_PER_PAGE === 0) await writePage(log, number, sealedAt);
  if (!(await hasCheckpoint(log, number, text, header.signer))) {
    const logSigner = signerOf(log, log.logKeys, header.signer, number);
    const witness = signerOf(log, log.witnessKeys, header.witness, number);
    const line = logSigner.sign(text, nowMs);
    const range = rangeRootSince(before, hashes);
    const proofFrom = (size: number) => consistencyProof(size, tree.size, range);
    const memory = { store: log.inbox.store, prefix: log.witnessPrefix };
    const cosigned = await cosign(memory, witness, { note: formatNote(text, [line]), logVerifier: header.signer, proofFrom }, nowMs);
    await writeCheckpoint(log, number, text, formatNote(text, [line, cosigned]), segment);
  }
  for (const batch of header.batches) await removeBatch(log.inbox, batch);
  return tree;
}

/** Of the hundred segments that this one ends. */
async function writePage(log: LockedLog, number: number, sealedAt: string): Promise<void> {
  const files = filesOf(log);
  const records = [];
  for (let each = number + 1 - SEGMENTS_PER_PAGE; each <= number; each += 1) {
    const body = await files.read(names.index(each));
    if (!body) throw tampered(log, names.index(each), 'is gone');
    records.push(IndexRecordSchema.parse(JSON.parse(body.toString('utf8'))));
  }
  await writeDerived(log, names.page(Math.floor(number / SEGMENTS_PER_PAGE)), packPage(records), sealedAt);
}

async function hasCheckpoint(log: LockedLog, number: number, text: string, signer: string): Promise<boolean> {
  const found = await filesOf(log).read(names.checkpoint(number));
  if (!found) return false;
  const note = parseNote(found.toString('utf8'));
  if (note.text === text && signedBy(note, signer)) return true;
  throw tampered(log, names.checkpoint(number), 'is not the checkpoint of its segment');
}

/** Two may write it at once, with other times of the witness: one of them stands. */
async function writeCheckpoint(log: LockedLog, number: number, text: string, note: string, { header }: Segment): Promise<void> {
  try {
    await writeDerived(log, names.checkpoint(number), Buffer.from(note), header.sealedAt);
  } catch (error) {
    if (!(await hasCheckpoint(log, number, text, header.signer))) throw error;
  }
}

function signerOf(log: LockedLog, keys: readonly Signer[], verifier: string, number: number): Signer {
  const found = keys.find((each) => each.verifier === verifier);
  if (found) return found;
  throw tampered(log, names.segment(number), `is to be signed by ${verifier}, which the site file does not have as key or previous key`);
}
