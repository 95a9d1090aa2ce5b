/**
 * Makes segments of batches. Any number of processes may run it: a segment's number is taken by whoever puts it first (If-None-Match), and whoever is late reads what is there,
 * does what is undone of it, and begins anew. A batch is named in the segment it is in, so a crash between two steps neither loses nor doubles it.
 */
import { createHash } from 'node:crypto';
import type { Leaf } from '../../model/audit.ts';
import { absent, isType, messageOf, PenstockError } from '../../model/errors.ts';
import { SYSTEM_BUCKET } from '../../model/location.ts';
import { type BatchName, listBatches, parseBatch, parseBatchName, readBatch, removeBatch } from './batch.ts';
import { canonicalJson } from './canonical.ts';
import { completeSegment } from './complete.ts';
import { IndexRecordSchema } from './index-record.ts';
import { lastOf, names } from './layout.ts';
import { filesOf, type LockedLog, tampered, writeOnce } from './locked-log.ts';
import { emptyTree, type Tree } from './merkle.ts';
import type { Signer } from './note.ts';
import { packLines, parseSegment, type Segment, unpackLines } from './segment.ts';
import { longestSigned } from './witness.ts';

/** Sealed at once; fewer wait for the time that the site file names. */
export const SEGMENT_ENTRIES = 1000;
/** Batches hold up to 500 entries, of 300 bytes and seldom more: a segment stays far below the limit of its reader. */
const SEGMENT_BATCH_BYTES = 8 * 2 ** 20;
/** Between clocks of machines. A batch is looked for in all that was sealed since so long before it was named. */
const SKEW_MS = 3_600_000;
/** Names of batches, 60 bytes each; what is forgotten is read again from the index. */
const MOST_REMEMBERED = 20_000;

interface Head {
  /** Of the next segment. */
  readonly number: number;
  readonly tree: Tree;
  readonly signer: string;
  readonly witness: string;
}

export interface Sequencer {
  /** Seals what is due. @returns how many entries, 0 where nothing was @throws PenstockError Conflict where the log was tampered with */
  sealDue(): Promise<number>;
}

export function createSequencer(log: LockedLog, now: () => number = Date.now): Sequencer {
  const files = filesOf(log);
  const sealed = new Set<string>();
  let head: Head | undefined;
  /** All segments from this one on have their batches in `sealed`. */
  let knownFrom = 0;
  let knownFromMs = Number.NEGATIVE_INFINITY;

  const absorb = async (segment: Segment): Promise<Head> => {
    const tree = await completeSegment(log, segment, now());
    const { number, batches } = segment.header;
    if (sealed.size > MOST_REMEMBERED) {
      sealed.clear();
      [knownFrom, knownFromMs] = [number, Date.parse(segment.header.sealedAt)];
    }
    for (const batch of batches) sealed.add(batch);
    return { number: number + 1, tree, ...keysAfter(segment) };
  };

  const readSegment = async (number: number): Promise<Segment | undefined> => {
    const body = await files.read(names.segment(number));
    return body && parseSegment(unpackLines(body));
  };

  /** Up to the last segment that anybody has sealed. */
  const catchUp = async (): Promise<Head> => {
    if (!head) {
      const last = await lastOf(files, names.segment);
      if (last === undefined) return { number: 0, tree: emptyTree, signer: log.logKeys[0].verifier, witness: log.witnessKeys[0].verifier };
      const segment = await readSegment(last);
      if (!segment) throw tampered(log, names.segment(last), 'was there a moment ago');
      head = await absorb(segment);
      [knownFrom, knownFromMs] = [last, Date.parse(segment.header.sealedAt)];
    }
    for (let next = await readSegment(head.number); next; next = await readSegment(head.number)) head = await absorb(next);
    return head;
  };

  /** A batch of long ago, whose sender was stopped, may be in a segment of long ago. */
  const isSealed = async ({ name, atMs }: BatchName): Promise<boolean> => {
    while (!sealed.has(name) && knownFrom > 0 && knownFromMs > atMs - SKEW_MS) {
      const body = await files.read(names.index(knownFrom - 1));
      if (!body) throw tampered(log, names.index(knownFrom - 1), 'is gone');
      const record = IndexRecordSchema.parse(JSON.parse(body.toString('utf8')));
      for (const batch of record.batches) sealed.add(batch);
      [knownFrom, knownFromMs] = [record.number, Date.parse(record.sealedAt)];
    }
    return sealed.has(name);
  };

  const gather = async (listed: readonly string[]): Promise<Gathered> => {
    const gathered: Gathered = { batches: [], lines: [] };
    let bytes = 0;
    for (const name of listed) {
      if (gathered.lines.length >= SEGMENT_ENTRIES || bytes >= SEGMENT_BATCH_BYTES) break;
      const batch = parseBatchName(name);
      if (batch && (await isSealed(batch))) {
        await removeBatch(log.inbox, name);
        continue;
      }
      const body = await readBatch(log.inbox, name).catch(absent);
      // Another sequencer has it in a segment, which the write will find.
      if (!body) continue;
      gathered.lines.push(...(await linesOf(log, name, batch, body, now())));
      gathered.batches.push(name);
      bytes += body.length;
    }
    return gathered;
  };

  /** A segment that was taken away must not be made anew: its number, and the entries in it, were given once. */
  const refuseShorter = async ({ number, tree }: Head): Promise<void> => {
    const signed = await longestSigned({ store: log.inbox.store, prefix: log.witnessPrefix });
    // Where the segment is there, another sequencer has made it meanwhile: the write finds that.
    if (signed <= tree.size || (await readSegment(number))) return;
    throw tampered(log, names.segment(number), `is gone: the witness signed ${signed} leaves, and ${tree.size} are there`);
  };

  /** False where the number is taken already. */
  const seal = async (at: Head, { batches, lines }: Gathered): Promise<boolean> => {
    const changes = at.number === 0 ? announce(log, now()) : keyChanges(log, at, now());
    const header: Leaf = {
      kind: 'segment',
      version: 1,
      origin: log.origin,
      number: at.number,
      firstLeaf: at.tree.size,
      frontier: at.tree.frontier.map((hash) => hash.toString('base64')),
      sealedAt: new Date(now()).toISOString(),
      signer: at.signer,
      witness: at.witness,
      batches,
    };
    const all = [canonicalJson(header), ...changes.map(canonicalJson), ...lines];
    try {
      await writeOnce(log, names.segment(at.number), packLines(all), header.sealedAt);
    } catch (error) {
      // Taken: by another sequencer, or by this write, whose answer was lost.
      if (isType(error, 'Conflict')) return false;
      throw error;
    }
    head = await absorb(parseSegment(all));
    return true;
  };

  return {
    async sealDue() {
      let entries = 0;
      for (let taken: number | undefined; ; ) {
        const at = await catchUp();
        refuseForeignKeys(log, at);
        if (taken === at.number) throw tampered(log, names.segment(at.number), 'is taken, and is not there');
        const listed = await listBatches(log.inbox);
        const isKeyDue = at.number === 0 || keyChanges(log, at, now()).length > 0;
        if (!isKeyDue && !isDue(listed, log.checkpointSeconds, now())) return entries;
        const gathered = await gather(listed);
        if (gathered.lines.length === 0 && !isKeyDue) return entries;
        await refuseShorter(at);
        if (await seal(at, gathered)) entries += gathered.lines.length;
        else taken = at.number;
      }
    },
  };
}

interface Gathered {
  readonly batches: string[];
  readonly lines: string[];
}

function isDue(listed: readonly string[], checkpointSeconds: number, nowMs: number): boolean {
  const [oldest] = listed;
  if (oldest === undefined) return false;
  const batches = listed.map(parseBatchName);
  const waiting = batches.reduce((sum, batch) => sum + (batch?.entries ?? 0), 0);
  return waiting >= SEGMENT_ENTRIES || batches.some((batch) => batch === undefined || nowMs - batch.atMs >= checkpointSeconds * 1000);
}

/** What is no batch is kept beside the inbox, and the log says so: it must not hold up what follows it. */
async function linesOf(log: LockedLog, name: string, batch: BatchName | undefined, body: Buffer, nowMs: number): Promise<string[]> {
  try {
    if (!batch) throw new TypeError('its name is none of a batch');
    return parseBatch(batch, body);
  } catch (error) {
    await log.inbox.store.writeBytes(SYSTEM_BUCKET, `${log.refusedPrefix}${name}`, body);
    const leaf: Leaf = {
      kind: 'refused',
      batch: name.toWellFormed().slice(0, 1000).toWellFormed(),
      sha256: createHash('sha256').update(body).digest('hex'),
      reason: messageOf(error).toWellFormed().slice(0, 1000).toWellFormed(),
      time: new Date(nowMs).toISOString(),
    };
    return [canonicalJson(leaf)];
  }
}

/** The keys that a log begins with. */
function announce({ logKeys, witnessKeys }: LockedLog, nowMs: number): Leaf[] {
  const time = new Date(nowMs).toISOString();
  return [logKeys[0], witnessKeys[0]].map(({ role, verifier }) => ({ kind: 'key', role, verifier, time }));
}

/** Where the site file has another key than the log: that key, announced under the one before. */
function keyChanges(log: LockedLog, { signer, witness }: Head, nowMs: number): Leaf[] {
  const time = new Date(nowMs).toISOString();
  const changed = (key: Signer, current: string): Leaf[] => (key.verifier === current ? [] : [{ kind: 'key', role: key.role, verifier: key.verifier, time }]);
  return [...changed(log.logKeys[0], signer), ...changed(log.witnessKeys[0], witness)];
}

/** A worker that still has the old keys, or has others, must not seal what it could not sign. @throws PenstockError Conflict */
function refuseForeignKeys(log: LockedLog, { number, signer, witness }: Head): void {
  for (const [keys, current, field] of [
    [log.logKeys, signer, 'key'],
    [log.witnessKeys, witness, 'witnessKey'],
  ] as const) {
    if (keys.some(({ verifier }) => verifier === current)) continue;
    throw new PenstockError('Conflict', `audit.${field}: found ${keys[0].verifier}; from segment ${number} on the log is signed by ${current}.`, {
      nextStep: 'Name that key, or both while it is changed: the operator guide says how.',
    });
  }
}

/** Of the segment behind this one. */
function keysAfter({ header, leaves }: Segment): Pick<Head, 'signer' | 'witness'> {
  const keys = { signer: header.signer, witness: header.witness };
  for (const leaf of leaves) {
    if (leaf.kind === 'key' && leaf.role === 'log') keys.signer = leaf.verifier;
    if (leaf.kind === 'key' && leaf.role === 'witness') keys.witness = leaf.verifier;
  }
  return keys;
}
