/** Ten thousand seeded ways to falsify a log: each is found, and where a single entry was touched the finding names it. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '../../../../datapath/audit/canonical.ts';
import type { Finding } from '../../../../datapath/audit/finding.ts';
import { indexOf, packRecord } from '../../../../datapath/audit/index-record.ts';
import { filesInMemory, names } from '../../../../datapath/audit/layout.ts';
import { grow, rootOf } from '../../../../datapath/audit/merkle.ts';
import { formatCheckpoint, formatNote, type Signer } from '../../../../datapath/audit/note.ts';
import { hashLines, packHashes, packLines, parseSegment, treeBefore, unpackLines } from '../../../../datapath/audit/segment.ts';
import { createSequencer } from '../../../../datapath/audit/sequencer.ts';
import { verifyLog } from '../../../../datapath/audit/verify.ts';
import { memoryLog, operationAt, START_MS, sealedLog, send, witnessNotes } from '../../../support/audit-log.ts';

const SEGMENTS = 3;
const ENTRIES = 4;
const RUNS = 10_000;

interface Lines {
  /** By segment. */
  readonly lines: readonly (readonly string[])[];
}
type Files = Map<string, Buffer>;

let original: Files;
let kept: string[];
let logKey: Signer;
let log: Lines;
/** Another log of the same keys, as somebody who has the log's key would make it: never shown to the witness. */
let other: Files;

before(async () => {
  const memory = await sealedLog(SEGMENTS, ENTRIES, (locked, nowMs) => createSequencer(locked, () => nowMs).sealDue());
  original = memory.files();
  kept = witnessNotes(memory);
  logKey = memory.keys.log[0];
  const bodies = Array.from({ length: SEGMENTS }, (_, number) => original.get(names.segment(number)) ?? Buffer.alloc(0));
  log = { lines: bodies.map(unpackLines) };
  const fork = memoryLog({ keys: memory.keys });
  for (let segment = 0; segment < SEGMENTS; segment += 1) {
    await send(fork, [operationAt(100 + segment, START_MS + segment * 60_000)], START_MS + segment * 60_000);
    await createSequencer(fork.log, () => START_MS + segment * 60_000 + 60_000).sealDue();
  }
  other = fork.files();
});

const verify = async (files: Files): Promise<readonly Finding[]> => (await verifyLog(filesInMemory(files), { kept })).findings;
const lineNumbers = { segment: fc.nat(SEGMENTS - 1), line: fc.integer({ min: 1, max: ENTRIES }), at: fc.nat(10_000) };

/** What is done, and what the finding must name where it can. */
interface Tampered {
  readonly files: Files;
  readonly kind?: Finding['kind'];
  readonly leaf?: number;
}

function withLines(segment: number, lines: readonly string[]): Files {
  return new Map(original).set(names.segment(segment), packLines(lines));
}

const firstLeafOf = (segment: number): number => log.lines.slice(0, segment).reduce((sum, lines) => sum + lines.length, 0);
const linesOf = (segment: number): string[] => [...(log.lines[segment] ?? [])];

const edit = fc.record(lineNumbers).map(({ segment, line, at }) => (): Tampered => {
  const lines = linesOf(segment);
  const text = lines[line] ?? '';
  const place = at % text.length;
  lines[line] = `${text.slice(0, place)}${text[place] === 'x' ? 'y' : 'x'}${text.slice(place + 1)}`;
  return { files: withLines(segment, lines), kind: 'entry-changed', leaf: firstLeafOf(segment) + line };
});
const drop = fc.record(lineNumbers).map(({ segment, line }) => (): Tampered => {
  const files = withLines(segment, linesOf(segment).toSpliced(line, 1));
  return { files, kind: 'entry-deleted', leaf: firstLeafOf(segment) + line };
});
const insert = fc.record(lineNumbers).map(({ segment, line, at }) => (): Tampered => {
  const added = canonicalJson(operationAt(1000 + at, START_MS + segment * 60_000));
  return { files: withLines(segment, linesOf(segment).toSpliced(line, 0, added)), kind: 'entry-inserted' };
});
const repeat = fc.record(lineNumbers).map(({ segment, line }) => (): Tampered => {
  const lines = linesOf(segment);
  return { files: withLines(segment, lines.toSpliced(line, 0, lines[line] ?? '')), kind: 'entry-inserted', leaf: firstLeafOf(segment) + line };
});
const reorder = fc.record({ ...lineNumbers, to: fc.integer({ min: 1, max: ENTRIES - 1 }) }).map(({ segment, line, to }) => (): Tampered => {
  const lines = linesOf(segment);
  const target = 1 + ((line - 1 + to) % ENTRIES);
  [lines[line], lines[target]] = [lines[target] ?? '', lines[line] ?? ''];
  return { files: withLines(segment, lines), kind: 'entries-reordered' };
});
const removeObject = fc.nat(10_000).map((at) => (): Tampered => {
  const files = new Map(original);
  files.delete([...files.keys()][at % files.size] ?? '');
  return { files };
});
const flipByte = fc.record({ object: fc.nat(10_000), at: fc.nat(1_000_000), bit: fc.nat(7) }).map(({ object, at, bit }) => (): Tampered => {
  const name = [...original.keys()][object % original.size] ?? '';
  const whole = original.get(name) ?? Buffer.alloc(0);
  for (let place = at % whole.length; ; place = (place + 1) % whole.length) {
    const body = Buffer.from(whole);
    body[place] = (body[place] ?? 0) ^ (1 << bit);
    // Some bits of a zstd frame mean nothing: what unpacks to the same lines falsifies none.
    if (!name.startsWith('segments/') || !unpacksAlike(body, whole)) return { files: new Map(original).set(name, body) };
  }
});
function unpacksAlike(one: Buffer, other: Buffer): boolean {
  try {
    return unpackLines(one).join('\n') === unpackLines(other).join('\n');
  } catch {
    return false;
  }
}
const truncate = fc.integer({ min: 0, max: SEGMENTS - 1 }).map((from) => (): Tampered => {
  const files = new Map(original);
  for (let number = from; number < SEGMENTS; number += 1)
    for (const name of [names.segment, names.leaves, names.index, names.checkpoint]) files.delete(name(number));
  return { files, kind: 'truncated' };
});
const replay = fc.record({ from: fc.nat(SEGMENTS - 1), to: fc.integer({ min: 1, max: SEGMENTS - 1 }) }).map(({ from, to }) => (): Tampered => {
  const at = (from + to) % SEGMENTS;
  return { files: new Map(original).set(names.checkpoint(at), original.get(names.checkpoint(from)) ?? Buffer.alloc(0)) };
});
const exchange = fc.record({ from: fc.nat(SEGMENTS - 1), to: fc.integer({ min: 1, max: SEGMENTS - 1 }) }).map(({ from, to }) => (): Tampered => {
  const files = new Map(original);
  const at = (from + to) % SEGMENTS;
  for (const name of [names.segment, names.leaves, names.index, names.checkpoint]) {
    files.set(name(at), original.get(name(from)) ?? Buffer.alloc(0));
    files.set(name(from), original.get(name(at)) ?? Buffer.alloc(0));
  }
  return { files };
});
/** Whoever holds the log's key makes a segment anew, with all that follows from it; the witness has not signed it. */
const resign = fc.record(lineNumbers).map(({ segment, line, at }) => (): Tampered => {
  const lines = linesOf(segment);
  lines[line] = canonicalJson(operationAt(2000 + at, START_MS + segment * 60_000));
  const parsed = parseSegment(lines);
  const tree = grow(treeBefore(parsed.header), hashLines(lines));
  const text = formatCheckpoint({ origin: parsed.header.origin, size: tree.size, root: rootOf(tree) });
  const files = withLines(segment, lines)
    .set(names.leaves(segment), packHashes(hashLines(lines)))
    .set(names.index(segment), packRecord(indexOf(parsed)))
    .set(names.checkpoint(segment), Buffer.from(formatNote(text, [logKey.sign(text, 0)])));
  return { files, kind: 'not-witnessed' };
});
/** The same from a segment on, or of the whole log: signed by both keys, and not the log that the witness remembers. */
const fork = fc.nat(SEGMENTS - 1).map((from) => (): Tampered => {
  const files = new Map(original);
  for (let number = from; number < SEGMENTS; number += 1)
    for (const name of [names.segment, names.leaves, names.index, names.checkpoint]) files.set(name(number), other.get(name(number)) ?? Buffer.alloc(0));
  return { files };
});
const foreign = fc
  .stringMatching(/^[a-z]{1,8}$/)
  .map((name) => (): Tampered => ({ files: new Map(original).set(name, Buffer.from('x')), kind: 'foreign-object' }));

test('an untouched log has no findings', async () => {
  assert.deepEqual(await verify(original), []);
});

test(`${RUNS} edits, drops, insertions, repeats, reorders, removals, flipped bits, truncations, replays, exchanges and forks are all found`, {
  timeout: 240_000,
}, async () => {
  const ways = [edit, drop, insert, repeat, reorder, removeObject, flipByte, truncate, replay, exchange, resign, fork, foreign];
  const samples = fc.sample(fc.oneof(...ways), { numRuns: RUNS, seed: 7 });
  for (const [index, tamper] of samples.entries()) {
    const { files, kind, leaf } = tamper();
    const findings = await verify(files);
    assert.ok(findings.length > 0, `sample ${index} was not found`);
    if (kind !== undefined)
      assert.ok(
        findings.some((each) => each.kind === kind && (leaf === undefined || each.leaf === leaf)),
        `sample ${index}: ${JSON.stringify({ kind, leaf, findings })}`,
      );
  }
});
