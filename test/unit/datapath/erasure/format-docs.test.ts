/** docs/formats/erasure.md says of bytes what the code does: whoever writes a decoder has nothing else. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { generatorMatrix } from '../../../../datapath/erasure/code.ts';
import { inverse, multiply } from '../../../../datapath/erasure/gf256.ts';
import { FOOTER_BYTES, HEADER_BYTES, shardBytes } from '../../../../datapath/erasure/layout.ts';
import { TRAILER_BYTES } from '../../../../datapath/erasure/pack-format.ts';
import { definedStripe } from '../../../support/erasure-definition.ts';

const text = await readFile(new URL('../../../../docs/formats/erasure.md', import.meta.url), 'utf8');

/** The tables of fields, in the order of the page: header, footer, index entry, trailer. */
const tables = text
  .split('| offset | bytes | field |\n|---|---|---|\n')
  .slice(1)
  .map((after) =>
    (/^(?:\|.*\n)+/.exec(after)?.[0] ?? '')
      .trim()
      .split('\n')
      .map((row) => row.split('|').map((cell) => cell.trim()))
      .map(([, offset = '', bytes = '']) => ({ offset: Number(offset), bytes: Number(bytes.replace(',', '')) })),
  );

describe('the format of the erasure set, as it is documented', () => {
  for (const [index, name, length] of [
    [0, 'header', HEADER_BYTES],
    [1, 'footer', FOOTER_BYTES],
    [2, 'entry of an index, up to its name', 24],
    [3, 'trailer', TRAILER_BYTES],
  ] as const) {
    it(`leaves no byte of the ${name} open, and says none twice`, () => {
      let end = 0;
      for (const { offset, bytes } of tables[index] ?? []) {
        assert.equal(offset, end);
        end += bytes;
      }
      assert.equal(end, length);
    });
  }

  it('has the parity rows, and the values to check an implementation by', () => {
    for (const row of [14, 15, 16, 17]) {
      const told = new RegExp(`^ {4}${row}: ((?:[0-9a-f]{2} ?){14})$`, 'm').exec(text)?.[1] ?? '';
      assert.equal(
        told,
        Buffer.from(generatorMatrix[row] ?? [])
          .toString('hex')
          .replace(/(..)(?=.)/g, '$1 '),
      );
    }
    const parities = definedStripe(Buffer.concat(Array.from({ length: 14 }, (_, cell) => Buffer.alloc(64, cell + 1))), 64).subarray(14 * 64);
    const firsts = [0, 64, 128, 192].map((at) => `\`${parities.subarray(at, at + 1).toString('hex')}\``).join(', ');
    assert.ok(text.includes(`the bytes of the parity cells are ${firsts}`));
    assert.ok(text.includes(`0x57 * 0x83 is 0x${multiply(0x57, 0x83).toString(16)}, inverse(2) is 0x${inverse(2).toString(16)}`));
    for (const [what, bytes] of [
      ['"123456789" gives', Buffer.from('123456789')],
      ['64 zero bytes give', Buffer.alloc(64)],
    ] as const)
      assert.match(text, new RegExp(`${what}\\s+\`${crc32c(bytes).toString(16).padStart(8, '0')}\``));
  });

  it('has the length of an empty shard, and what an object costs beside its content', () => {
    const empty = shardBytes({ objectBytes: 0, cellBytes: 64, stripes: 0 });
    assert.ok(text.includes(`exactly: ${empty.toLocaleString('en')} for an empty object`));
    assert.ok(text.includes(`18 headers and footers (${(18 * empty).toLocaleString('en')} bytes)`));
  });
});
