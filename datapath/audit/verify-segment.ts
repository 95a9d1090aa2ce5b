/** One segment, held to its place in the log: what is wrong with it, and where the next one begins. */
import type { Leaf, SegmentHeader } from '../../model/audit.ts';
import { messageOf } from '../../model/errors.ts';
import { lateBatches } from './backlog.ts';
import { parseBatchName } from './batch.ts';
import type { Finding, FindingKind } from './finding.ts';
import { type IndexRecord, indexOf } from './index-record.ts';
import { type LogFiles, names } from './layout.ts';
import { grow, type Hash, rootOf, type Tree } from './merkle.ts';
import { type Checkpoint, formatCheckpoint, parseCheckpoint, parseNote, signedBy } from './note.ts';
import { hashLines, parseSegment, type Segment, unpackHashes, unpackLines } from './segment.ts';
import { compareLines } from './verify-lines.ts';

/** Clocks of machines may differ by so much; beyond it a time is wrong. */
const CLOCK_BOUND_MS = 5 * 60_000;
/** An entry is sealed minutes after it was made, or in the first segment after the log was out. */
const LATE_BOUND_MS = 60 * 60_000;

/** Where a segment begins. */
export interface Place {
  readonly tree: Tree;
  readonly origin: string;
  readonly signer: string;
  readonly witness: string;
  /** Of the segment before. */
  readonly sealedAt?: string;
  /** Of all segments before; grows. */
  readonly batches: Set<string>;
  /** Those that the log says are late, for they lay in a machine's spool; grows. */
  readonly late: Set<string>;
}

export interface VerifiedSegment {
  readonly findings: readonly Finding[];
  /** Undefined where nobody can tell. */
  readonly next: Place | undefined;
  /** What the index must say of it; undefined where the segment is not what was signed. */
  readonly record: IndexRecord | undefined;
}

export async function verifySegment(files: LogFiles, number: number, place: Place): Promise<VerifiedSegment> {
  const findings: Finding[] = [];
  const tell = (kind: FindingKind, what: string, leaf?: number): void =>
    void findings.push({ kind, segment: number, ...(leaf === undefined ? {} : { leaf }), what });
  const signed = await readCheckpoint(files, number, place, tell);
  const hashes = await readHashes(files, number, tell);
  const segment = await readSegment(files, number, tell);
  const found = segment && hashLines(segment.lines);

  // What the signed root says, else what hashes and lines agree upon.
  const treeOfHashes = hashes && grow(place.tree, hashes);
  const treeOfLines = found && grow(place.tree, found);
  const isRoot = (tree: Tree | undefined): tree is Tree => tree !== undefined && (signed === undefined || isOf(signed, tree));
  if (hashes && treeOfHashes && !isRoot(treeOfHashes)) tell('hashes-damaged', 'its hashes are not those of the checkpoint');
  else if (hashes && found && treeOfHashes && treeOfLines && !rootOf(treeOfHashes).equals(rootOf(treeOfLines)) && segment)
    findings.push(...compareLines({ segment: number, firstLeaf: place.tree.size, expected: hashes, found, lines: segment.lines }));
  if (segment && treeOfLines && !isRoot(treeOfLines) && !isRoot(treeOfHashes)) {
    tell('segment-damaged', 'its lines are not those of the checkpoint, and its hashes cannot say which');
  }
  const isWhole = isRoot(treeOfLines);
  const tree = isWhole ? treeOfLines : isRoot(treeOfHashes) ? treeOfHashes : undefined;
  if (!tree) return { findings, next: undefined, record: undefined };
  const parsed = isWhole && segment ? read(segment, tell) : undefined;
  if (!parsed) {
    // Its keys cannot be known: those that were before stand.
    return { findings, next: { ...place, tree }, record: undefined };
  }
  return { findings, next: { ...place, tree, ...follow(parsed, number, place, tell) }, record: indexOf(parsed) };
}

type Tell = (kind: FindingKind, what: string, leaf?: number) => void;

const isOf = ({ size, root }: Checkpoint, tree: Tree): boolean => size === tree.size && root.equals(rootOf(tree));

/** Undefined where it cannot be believed. */
async function readCheckpoint(files: LogFiles, number: number, place: Place, tell: Tell): Promise<Checkpoint | undefined> {
  const body = await files.read(names.checkpoint(number));
  if (!body) {
    tell('checkpoint-removed', 'its checkpoint is gone');
    return undefined;
  }
  try {
    const text = body.toString('utf8');
    if (!Buffer.from(text).equals(body)) throw new TypeError('it is not UTF-8');
    const note = parseNote(text);
    const checkpoint = parseCheckpoint(note.text);
    if (!signedBy(note, place.signer)) throw new TypeError(`it is not signed by ${place.signer}`);
    if (checkpoint.origin !== place.origin) throw new TypeError(`it is of the log ${checkpoint.origin}`);
    if (checkpoint.size <= place.tree.size) {
      tell('checkpoint-replayed', `its checkpoint is of ${checkpoint.size} leaves, and ${place.tree.size} came before the segment`);
      return undefined;
    }
    if (!signedBy(note, place.witness)) tell('not-witnessed', `its checkpoint is not signed by the witness ${place.witness}: the log may have been made anew`);
    return checkpoint;
  } catch (error) {
    tell('checkpoint-forged', `its checkpoint is not to be believed: ${messageOf(error)}`);
    return undefined;
  }
}

async function readHashes(files: LogFiles, number: number, tell: Tell): Promise<Hash[] | undefined> {
  const body = await files.read(names.leaves(number));
  try {
    if (body) return unpackHashes(body);
    tell('hashes-damaged', 'its hashes are gone');
  } catch (error) {
    tell('hashes-damaged', `its hashes cannot be read: ${messageOf(error)}`);
  }
  return undefined;
}

async function readSegment(files: LogFiles, number: number, tell: Tell): Promise<Pick<Segment, 'lines'> | undefined> {
  const body = await files.read(names.segment(number));
  try {
    if (body) return { lines: unpackLines(body) };
    tell('segment-removed', 'it is gone; the store may still hold it as an earlier version');
  } catch (error) {
    tell('segment-damaged', `it cannot be read: ${messageOf(error)}`);
  }
  return undefined;
}

function read({ lines }: Pick<Segment, 'lines'>, tell: Tell): Segment | undefined {
  try {
    return parseSegment(lines);
  } catch (error) {
    tell('segment-damaged', `it is what was signed, and not of this format: ${messageOf(error)}`);
    return undefined;
  }
}

/** What a whole segment says of itself, held to its place; the keys and the time for the next one. */
function follow({ header, leaves }: Segment, number: number, place: Place, tell: Tell): Pick<Place, 'signer' | 'witness' | 'sealedAt'> {
  const keys = { signer: place.signer, witness: place.witness };
  const stated = formatCheckpoint({ origin: header.origin, size: header.firstLeaf, root: rootOf(treeStated(header)) });
  const isHere = header.number === number && stated === formatCheckpoint({ origin: place.origin, size: place.tree.size, root: rootOf(place.tree) });
  if (!isHere) tell('segment-damaged', `it says that it is segment ${header.number} of ${header.origin}, from leaf ${header.firstLeaf} on`, place.tree.size);
  if (header.signer !== place.signer || header.witness !== place.witness) tell('key-not-announced', 'it names other keys than those announced before it');
  for (const batch of header.batches) {
    if (place.batches.has(batch)) tell('batch-doubled', `the batch ${batch} is in an earlier segment too`);
    place.batches.add(batch);
  }
  for (const [index, leaf] of leaves.entries()) {
    if (leaf.kind === 'key') keys[leaf.role === 'log' ? 'signer' : 'witness'] = leaf.verifier;
    if (leaf.kind === 'refused') tell('batch-refused', `something that was no batch lay in the inbox: ${leaf.batch}, ${leaf.reason}`, place.tree.size + index);
  }
  checkTimes(header, leaves, place, tell);
  return { ...keys, sealedAt: header.sealedAt };
}

const treeStated = ({ firstLeaf, frontier }: SegmentHeader): Tree => ({ size: firstLeaf, frontier: frontier.map((hash) => Buffer.from(hash, 'base64')) });

/** Which batch each leaf came from: they follow each other as the header names them, and one that was refused is a single leaf. */
function batchesOf(batches: readonly string[], leaves: readonly Leaf[]): (string | undefined)[] {
  let [at, left] = [-1, 0];
  return leaves.map(({ kind }) => {
    if (kind === 'segment' || kind === 'key') return undefined;
    if (left === 0) {
      at += 1;
      left = kind === 'refused' ? 1 : (parseBatchName(batches[at] ?? '')?.entries ?? 1);
    }
    left -= 1;
    return batches[at];
  });
}

function checkTimes({ sealedAt, batches }: SegmentHeader, leaves: readonly Leaf[], place: Place, tell: Tell): void {
  const at = Date.parse(sealedAt);
  const before = place.sealedAt === undefined ? Number.NEGATIVE_INFINITY : Date.parse(place.sealedAt);
  if (at < before - CLOCK_BOUND_MS) tell('clock-went-back', `it was sealed ${sealedAt}, and the one before it ${place.sealedAt}`, place.tree.size);
  const batchOf = batchesOf(batches, leaves);
  for (const [index, leaf] of leaves.entries()) {
    if (leaf.kind !== 'operation') continue;
    for (const batch of lateBatches(leaf)) place.late.add(batch);
    const time = Date.parse(leaf.time);
    const isInTime = time >= Math.min(before, at) - LATE_BOUND_MS || place.late.has(batchOf[index] ?? '');
    if (isInTime && time <= at + CLOCK_BOUND_MS) continue;
    tell(
      'entry-out-of-time',
      `it says ${leaf.time}; the segment before was sealed ${place.sealedAt ?? 'never'}, this one ${sealedAt}`,
      place.tree.size + index,
    );
  }
}
