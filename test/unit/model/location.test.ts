import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseInput } from '../../../model/issues.ts';
import { LocationSchema, overlaps, shortLocation, splitLocation } from '../../../model/location.ts';
import { TransferRequestSchema } from '../../../model/transfer-input.ts';

const at = (text: string) => LocationSchema.safeParse(splitLocation(text));
const warm = (prefix: string) => ({ store: 'warm', bucket: 'team-a', prefix });

describe('a location', () => {
  it('is read as it is written, and written as it was read', () => {
    for (const text of ['warm:team-a/', 'warm:team-a/data/', 'old-nas:Projects/2019/with space/ü/']) {
      const parsed = at(text);
      assert.ok(parsed.success, text);
      assert.equal(shortLocation(parsed.data), text);
    }
    assert.deepEqual(at('warm:team-a/data').data, warm('data/'));
    assert.deepEqual(at('warm:team-a').data, warm(''));
  });

  it('that could reach elsewhere is refused', () => {
    for (const text of [
      'warm:../etc/',
      'warm:team-a/../team-b/',
      'warm:team-a/./',
      'warm:team-a//data/',
      'warm:.hidden/',
      'warm:team-a/a\nb/',
      'Warm:team-a/',
      'warm:',
      'team-a/data',
    ]) {
      assert.equal(at(text).success, false, JSON.stringify(text));
    }
  });

  it('never has a step that leads out, whatever is written', () => {
    fc.assert(
      fc.property(fc.string(), (prefix) => {
        const parsed = LocationSchema.safeParse({ store: 'warm', bucket: 'team-a', prefix });
        if (parsed.success)
          assert.ok(
            parsed.data.prefix
              .split('/')
              .slice(0, -1)
              .every((step) => !['', '.', '..'].includes(step)),
          );
      }),
    );
  });

  it('overlaps what it holds and what holds it, and nothing beside it', () => {
    assert.ok(overlaps(warm('a/'), warm('a/b/')) && overlaps(warm('a/b/'), warm('')) && overlaps(warm('a/'), warm('a/')));
    assert.ok(!overlaps(warm('a/'), warm('ab/')) && !overlaps(warm('a/'), { ...warm('a/'), store: 'cold' }));
  });
});

describe('a transfer', () => {
  const refusal = (input: object) => {
    const parsed = parseInput(TransferRequestSchema, { transferId: 't', source: warm('a'), target: { ...warm('a'), store: 'cold' }, ...input });
    return parsed.ok ? undefined : parsed.issues.map(({ path, expected }) => `${path}: ${expected}`).join('; ');
  };

  it('keeps attributes and links, replaces nothing and runs four lanes where nothing else is said', () => {
    const parsed = TransferRequestSchema.parse({ transferId: 't', source: warm('a'), target: warm('b') });
    assert.partialDeepStrictEqual(parsed, { attributes: true, symlinks: 'keep', replace: false, lanes: 4, exclude: [], mode: 'move' });
  });

  it('into itself, or over Penstock’s own records, is refused with the reason', () => {
    assert.match(refusal({ target: warm('a/b') }) ?? '', /^target: a place that neither is nor holds the source/);
    assert.match(refusal({ target: { store: 'warm', bucket: 'penstock-system', prefix: 'x' } }) ?? '', /^target.bucket: .*own records/);
    assert.match(refusal({ lanes: 33 }) ?? '', /lanes: at most 32/);
    assert.equal(refusal({}), undefined);
  });
});
