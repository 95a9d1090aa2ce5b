/** Bugs that people write, each a change of one place of the code: what a suite must find. */
export interface Plant {
  readonly name: string;
  /** Of the suite that is to find it. */
  readonly suite: string;
  readonly file: string;
  /** There once. */
  readonly from: string;
  readonly to: string;
}

export const plants: readonly Plant[] = [
  {
    name: 'acknowledged before the second copy is durable',
    suite: 'checkpoint',
    file: 'datapath/checkpoint/write-checkpoint.ts',
    from: 'const both = Promise.allSettled([inRack, inSecond])',
    to: 'inSecond.catch(fail);\n    const both = Promise.allSettled([inRack])',
  },
  {
    name: 'acknowledged before the rack is durable',
    suite: 'checkpoint',
    file: 'datapath/checkpoint/write-checkpoint.ts',
    from: 'const both = Promise.allSettled([inRack, inSecond])',
    to: 'inRack.catch(fail);\n    const both = Promise.allSettled([inSecond])',
  },
  {
    name: 'the ring lets go of what is not drained',
    suite: 'checkpoint',
    file: 'datapath/checkpoint/ring-upkeep.ts',
    from: 'if (await readCommitRecord(rack, checkpointDirectory(key, key.checkpointId))) return false;',
    to: 'if (await readCommitRecord(rack, checkpointDirectory(key, key.checkpointId))) return true;',
  },
  {
    name: 'the record is published before the last chunk is durable',
    suite: 'checkpoint',
    file: 'datapath/checkpoint/write-checkpoint.ts',
    from: '    await Promise.all(underWay);\n    requireSound();\n    if (files.size === 0)',
    to: '    requireSound();\n    if (files.size === 0)',
  },
  {
    name: 'the ring acknowledges what is still under way',
    suite: 'checkpoint',
    file: 'datapath/checkpoint/ring.ts',
    from: 'while (failure === undefined && inFlight[0]?.isDurable) inFlight.shift()?.acknowledge();',
    to: 'while (failure === undefined && inFlight[0]) inFlight.shift()?.acknowledge();',
  },
  {
    name: 'a torn tail is taken for whole',
    suite: 'checkpoint',
    file: 'datapath/checkpoint/ring-scan.ts',
    from: 'return crc32c(payload.subarray(0, header.bytes)) === header.crc32c;',
    to: 'return payload.length >= header.bytes;',
  },
  {
    name: 'a restore does not hold content to its checksum',
    suite: 'checkpoint',
    file: 'datapath/transfer/crc32c.ts',
    from: 'if (expected.crc32c !== undefined && meter.crc32c() !== expected.crc32c) {',
    to: "if (expected.crc32c === '') {",
  },
  {
    name: 'a ring commits what was killed before its commit',
    suite: 'checkpoint',
    file: 'datapath/checkpoint/ring-upkeep.ts',
    from: '  if (record && holdsAll(copy, record)) await appendCommit(ring, device, { key, writeId, record })',
    to: `  const files = [...copy.chunks].map(([path, pieces]) => ({
    path,
    bytes: pieces.reduce((sum, piece) => sum + piece.header.bytes, 0),
    crc32c: combineCrc32c(pieces.map((piece) => ({ bytes: piece.header.bytes, crc32c: encodeCrc32c(piece.header.crc32c) }))),
  }));
  const made = { formatVersion: 1 as const, checkpointId, committedAt: new Date().toISOString(), digest: 'f'.repeat(64), bytes: 1, files };
  if (!record || holdsAll(copy, record)) await appendCommit(ring, device, { key, writeId, record: record ?? made })`,
  },
  {
    name: 'two attempts of one checkpoint are mixed in the ring',
    suite: 'checkpoint',
    file: 'datapath/checkpoint/ring-copies.ts',
    from: 'const copy = copies.get(writeId) ?? { key, writeId, record: undefined, chunks: new Map<string, PlacedRecord[]>() };\n    copies.set(writeId, copy);',
    to: 'const copy = copies.get(key) ?? { key, writeId, record: undefined, chunks: new Map<string, PlacedRecord[]>() };\n    copies.set(key, copy);',
  },
  {
    name: 'a commit that failed is not taken back',
    suite: 'checkpoint',
    file: 'datapath/checkpoint/write-checkpoint.ts',
    from: '    await takeBack(tried, checkpointId, error);\n',
    to: '',
  },
  {
    name: 'after a reweight the global tier lacks what the ring had',
    suite: 'checkpoint',
    file: 'datapath/checkpoint/second-copy.ts',
    from: 'for (const [place, sum] of sums) {',
    to: 'for (const [place, sum] of [...sums].slice(1)) {',
  },
  {
    name: 'a write that took less than it was given counts as whole',
    suite: 'checkpoint',
    file: 'drivers/file-store/raw-fs.ts',
    from: '  for (let written = 0; written < from.length; ) {',
    to: '  for (let written = 0; written === 0 && from.length > 0; ) {',
  },
  {
    name: 'files are opened without O_DSYNC',
    suite: 'checkpoint',
    file: 'drivers/file-store/direct-file.ts',
    from: 'const durable = flags | constants.O_DSYNC;',
    to: 'const durable = flags;',
  },
  {
    name: 'a rack that does not answer is waited for',
    suite: 'checkpoint',
    file: 'datapath/checkpoint/write-deadline.ts',
    from: 'return Promise.race([answer, promise])',
    to: 'promise.catch(() => undefined);\n    return Promise.race([answer])',
  },
  {
    name: 'a window is not freed at its holder’s death',
    suite: 'broker',
    file: 'model/broker-planner.ts',
    from: 'const silent = state.reservations.filter(({ renewByMs }) => renewByMs <= state.nowMs);',
    to: "const silent = state.reservations.filter(({ renewByMs, place }) => place !== 'admitted' && renewByMs <= state.nowMs);",
  },
  {
    name: 'a rise is given from what others may still be sending',
    suite: 'broker',
    file: 'model/broker-state.ts',
    from: 'return Math.max(told.untilMs > nowMs ? told.bytesPerSecond : 0, before.untilMs > nowMs ? before.bytesPerSecond : 0);',
    to: 'return told.untilMs > nowMs ? told.bytesPerSecond : before.untilMs * 0;',
  },
  {
    name: 'an older token speaks for a lease',
    suite: 'broker',
    file: 'model/broker-planner.ts',
    from: 'reservations.find((each) => each.requestId === requestId && each.epoch === epoch);',
    to: 'reservations.find((each) => each.requestId === requestId && each.epoch >= epoch);',
  },
  {
    name: 'the next run forgets what was released',
    suite: 'broker',
    file: 'workflows/broker/pages.ts',
    from: "    ...cut(ended, ENDED_A_PAGE).map((page): BrokerPage => ({ kind: 'ended', ended: page })),\n",
    to: '',
  },
  {
    name: 'the next run has a page of leases less',
    suite: 'broker',
    file: 'workflows/broker/pages.ts',
    from: 'Array.from({ length: Math.ceil(items.length / size) }',
    to: 'Array.from({ length: Math.ceil((items.length - 1) / size) }',
  },
  {
    name: 'small requests overtake a large one for ever',
    suite: 'broker',
    file: 'model/broker-queue.ts',
    from: 'if (held + leastOf(state.fabric, reservation) > budget) break;',
    to: 'if (held + leastOf(state.fabric, reservation) > budget) continue;',
  },
];
