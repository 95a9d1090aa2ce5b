/**
 * Holds a log to itself, from the first segment to the last: lines to hashes, hashes to checkpoints, checkpoints to the keys of log and witness, and the whole to what somebody else kept
 * of it. Goes on behind what it finds, as long as it knows where the next segment must begin.
 */
import type { SegmentHeader } from '../../model/audit.ts';
import { messageOf } from '../../model/errors.ts';
import type { Finding, Verification } from './finding.ts';
import { type LogFiles, names, segmentOf } from './layout.ts';
import { emptyTree, rootOf, type Tree } from './merkle.ts';
import { parseCheckpoint, parseNote, signedBy } from './note.ts';
import { headerOf, treeBefore, unpackLines } from './segment.ts';
import { createPageCheck } from './verify-index.ts';
import { type Place, verifySegment } from './verify-segment.ts';

export interface VerifyOptions {
  /** The key that the log began with, as whoever verifies knows it from elsewhere. */
  readonly key?: string;
  /** Notes that somebody kept outside of the log: the witness's, or an auditor's. */
  readonly kept?: readonly string[];
  readonly onSegment?: (number: number) => void;
}

export async function verifyLog(files: LogFiles, { key, kept = [], onSegment }: VerifyOptions = {}): Promise<Verification> {
  const findings: Finding[] = [];
  const range = await rangeOf(files, findings);
  let place = await beginning(files, range, findings);
  const [signer, witness] = [place?.signer ?? '', place?.witness ?? ''];
  if (place && key !== undefined && key !== signer)
    findings.push({ kind: 'key-not-announced', segment: range.first, what: `it is signed by ${signer}, and not by ${key}` });
  const roots = new Map<number, string>();
  const checkPage = createPageCheck(files);
  let verified: Place | undefined = place;
  for (let number = range.first; place && number <= range.last; number += 1) {
    const found = await verifySegment(files, number, place);
    findings.push(...found.findings, ...(await checkPage(number, found.record)));
    place = found.next;
    if (place) {
      verified = place;
      roots.set(place.tree.size, rootOf(place.tree).toString('hex'));
    }
    onSegment?.(number);
  }
  findings.push(...kept.flatMap((note) => held(note, roots, verified, range.first)));
  const tree: Tree = verified?.tree ?? emptyTree;
  return {
    findings,
    firstSegment: range.first,
    segments: range.last - range.first + 1,
    leaves: tree.size,
    root: rootOf(tree).toString('hex'),
    ...(verified?.sealedAt === undefined ? {} : { lastSealedAt: verified.sealedAt }),
    signer,
    witness,
    lastSigner: verified?.signer ?? signer,
  };
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** From the names alone: a part of a log begins with the checkpoint before it. */
async function rangeOf(files: LogFiles, findings: Finding[]): Promise<Range> {
  let [first, last, firstCheckpoint] = [Number.POSITIVE_INFINITY, -1, Number.POSITIVE_INFINITY];
  for await (const name of files.names()) {
    const number = numberIn(name);
    if (number === undefined) findings.push({ kind: 'foreign-object', what: `${JSON.stringify(name)} is no object of an audit log` });
    if (number === undefined || number === 'page') continue;
    last = Math.max(last, number);
    if (name.startsWith('checkpoints/')) firstCheckpoint = Math.min(firstCheckpoint, number);
    else first = Math.min(first, number);
  }
  if (last < 0) findings.push({ kind: 'truncated', what: 'there is no segment at all' });
  // A log begins with segment 0; only a bundle begins later, behind the checkpoint that it continues.
  return { first: firstCheckpoint === first - 1 ? first : 0, last };
}

function numberIn(name: string): number | 'page' | undefined {
  try {
    return segmentOf(name) ?? 'page';
  } catch {
    return undefined;
  }
}

/** Where the first segment must begin: at nothing, or where the checkpoint before it says. */
async function beginning(files: LogFiles, { first, last }: Range, findings: Finding[]): Promise<Place | undefined> {
  const header = await firstHeader(files, { first, last });
  if (!header) {
    findings.push({ kind: 'segment-damaged', what: 'no segment can be read, so nothing can be verified' });
    return undefined;
  }
  const { origin, signer, witness } = header;
  const place = { origin, signer, witness, batches: new Set<string>(), late: new Set<string>() };
  if (first === 0) return { ...place, tree: emptyTree };
  try {
    if (header.number !== first) throw new TypeError('it cannot be read');
    const tree = treeBefore(header);
    const note = parseNote((await files.read(names.checkpoint(first - 1)))?.toString('utf8') ?? '');
    const before = parseCheckpoint(note.text);
    if (before.size !== tree.size || !before.root.equals(rootOf(tree))) throw new TypeError('it does not continue the checkpoint before it');
    return { ...place, tree };
  } catch (error) {
    findings.push({
      kind: 'segment-damaged',
      segment: first,
      what: `nobody can tell where it begins: ${messageOf(error)}`,
    });
    return undefined;
  }
}

/** Of the first segment, or, for its keys, of the first one behind it that can be read. */
async function firstHeader(files: LogFiles, { first, last }: Range): Promise<SegmentHeader | undefined> {
  for (let number = first; number <= last; number += 1) {
    try {
      const body = await files.read(names.segment(number));
      if (body) return headerOf(unpackLines(body));
    } catch {
      // The verification of the segment tells what is wrong with it.
    }
  }
  return undefined;
}

/** A note that was kept elsewhere: what it says must be in the log. */
function held(text: string, roots: ReadonlyMap<number, string>, end: Place | undefined, first: number): Finding[] {
  const note = parseNote(text);
  const { size, root } = parseCheckpoint(note.text);
  const when = end && signedBy(note, end.witness)?.atMs;
  const signed = when === undefined ? '' : `, signed ${new Date(when).toISOString()} by the witness,`;
  const reached = end?.tree.size ?? 0;
  if (size > reached)
    return [{ kind: 'truncated', leaf: reached, what: `the log ends at ${reached} leaves; a checkpoint of ${size}${signed} was kept elsewhere` }];
  const found = roots.get(size);
  if (found === root.toString('hex') || (found === undefined && first > 0)) return [];
  return [{ kind: 'forked', leaf: size, what: `at ${size} leaves the log has another root than the checkpoint that was kept elsewhere${signed}` }];
}
