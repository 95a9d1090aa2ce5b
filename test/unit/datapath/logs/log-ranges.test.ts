import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { timeOfLine, timeSpanOf } from '../../../../datapath/logs/log-time.ts';
import { chunksInBytes, chunksInTime, chunksSeen, type LogChunk } from '../../../../model/log-metadata.ts';

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

  it('are, of a log without times, those that were read from the node then', () => {
    const seen = [
      chunk(0),
      ...['08:00', '08:01', '08:02'].map((time, index) => chunk(10 + index * 10, undefined, { seenFrom: at(time), seenUntil: at(time) })),
    ];
    assert.deepEqual(
      chunksSeen(seen, { from: at('08:01'), to: at('09:00') }).map(({ rawOffset }) => rawOffset),
      [20, 30],
    );
  });
});

const at = (time: string): string => `2026-11-22T${time}:00.000Z`;
