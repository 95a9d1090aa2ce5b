import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { timeOfLine, timeSpanOf } from '../../../../datapath/logs/log-time.ts';
import { type RawChunk, splitLog } from '../../../../datapath/logs/split-log.ts';
import { chunksInBytes, chunksInTime, type LogChunk } from '../../../../model/log-metadata.ts';

async function split(pieces: readonly Uint8Array[], chunkBytes: number): Promise<RawChunk[]> {
  const chunks: RawChunk[] = [];
  for await (const chunk of splitLog(Readable.from(pieces.map((piece) => Buffer.from(piece))), chunkBytes)) chunks.push(chunk);
  return chunks;
}

/** Any bytes, with line ends often enough. */
const logBytes = fc.array(fc.oneof(fc.constant(0x0a), fc.integer({ min: 0, max: 255 })), { maxLength: 200 }).map((bytes) => Uint8Array.from(bytes));

describe('a log', () => {
  it('is its chunks, in order, none larger than asked, wherever the stream was cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(logBytes), fc.integer({ min: 1, max: 64 }), async (pieces, chunkBytes) => {
        const whole = Buffer.concat(pieces);
        const chunks = await split(pieces, chunkBytes);
        assert.ok(Buffer.concat(chunks.map((chunk) => chunk.bytes)).equals(whole));
        let offset = 0;
        for (const chunk of chunks) {
          assert.equal(chunk.offset, offset);
          assert.ok(chunk.bytes.length > 0 && chunk.bytes.length <= chunkBytes);
          assert.equal(chunk.continuesLine, offset > 0 && whole[offset - 1] !== 0x0a);
          offset += chunk.bytes.length;
        }
        assert.deepEqual(await split([whole], chunkBytes), chunks);
      }),
    );
  });

  it('is cut inside a line only where the line is longer than a chunk', async () => {
    const chunks = await split([Buffer.from('aa\nbbbbbbbbbbbb\nc')], 8);
    assert.deepEqual(
      chunks.map((chunk) => chunk.bytes.toString()),
      ['aa\n', 'bbbbbbbb', 'bbbb\nc'],
    );
  });

  it('that is empty has no chunk', async () => {
    assert.deepEqual(await split([], 8), []);
  });
});

describe('the time of a line', () => {
  it('is read where the line begins with one', () => {
    const cases = [
      ['2026-03-04T05:06:07Z hello', '2026-03-04T05:06:07.000Z'],
      ['2026-03-04T05:06:07.891234567+02:00 hello', '2026-03-04T03:06:07.891Z'],
      ['[2026-03-04 05:06:07,5] hello', '2026-03-04T05:06:07.500Z'],
      ['2026-03-04T05:06:07+0100', '2026-03-04T04:06:07.000Z'],
    ] as const;
    for (const [line, expected] of cases) assert.equal(new Date(timeOfLine(line) ?? Number.NaN).toISOString(), expected);
  });

  it('is none where it does not, nor where it is no time', () => {
    for (const line of ['', 'hello 2026-03-04T05:06:07Z', '2026-03-04', '2026-99-04T05:06:07Z', ' 2026-03-04T05:06:07Z'])
      assert.equal(timeOfLine(line), undefined);
  });

  it('spans a chunk from its earliest to its latest, without the end of a line cut before', async () => {
    const text = '2001-01-01T00:00:00Z tail of a cut line\n2026-01-02T00:00:00Z b\n\tno time\n2026-01-01T00:00:00Z a\n';
    assert.deepEqual(await timeSpanOf(Buffer.from(text), true), { firstTimestamp: '2026-01-01T00:00:00.000Z', lastTimestamp: '2026-01-02T00:00:00.000Z' });
    assert.deepEqual(await timeSpanOf(Buffer.from('nothing\n'), false), {});
  });
});

describe('the chunks of a range', () => {
  const chunk = (rawOffset: number, day?: number, extra: Partial<LogChunk> = {}): LogChunk => ({
    key: `stdout/n001/${rawOffset}`,
    rawOffset,
    rawBytes: 10,
    compressedBytes: 5,
    crc32c: 'AAAAAA==',
    beginsWithTime: day !== undefined,
    ...extra,
    ...(day === undefined ? {} : { firstTimestamp: `2026-01-0${day}T00:00:00Z`, lastTimestamp: `2026-01-0${day}T12:00:00Z` }),
  });
  const chunks = [chunk(0, 1), chunk(10, 2), chunk(20), chunk(30, 3, { beginsWithTime: false }), chunk(40, 4)];

  it('are those that hold any of its bytes', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), (start, length) => {
        const end = start + length;
        const expected = chunks.filter(({ rawOffset }) =>
          Array.from({ length: 10 }, (_, index) => rawOffset + index).some((byte) => byte >= start && byte <= end),
        );
        assert.deepEqual(chunksInBytes(chunks, { start, end }), expected);
      }),
    );
  });

  it('are those that may hold any of its lines: a chunk without time, or one that begins without, goes with the one before', () => {
    const offsets = (from: string, to: string) => chunksInTime(chunks, { from, to }).map(({ rawOffset }) => rawOffset);
    assert.deepEqual(offsets('2026-01-01T01:00:00Z', '2026-01-01T02:00:00Z'), [0]);
    assert.deepEqual(offsets('2026-01-02T01:00:00Z', '2026-01-02T02:00:00Z'), [10, 20, 30]);
    assert.deepEqual(offsets('2026-01-04T01:00:00Z', '2027-01-01T00:00:00Z'), [40]);
    assert.deepEqual(offsets('2026-01-01T13:00:00Z', '2026-01-01T14:00:00Z'), []);
  });
});
