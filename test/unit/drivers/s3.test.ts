import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { assertKeyPrefix, assertObjectKey } from '../../../drivers/object-store/object-key.ts';
import { s3ErrorType } from '../../../drivers/object-store/s3-errors.ts';
import { partBytesFor, partsOf, SMALLEST_PART_BYTES } from '../../../drivers/object-store/s3-parts.ts';

describe('an upload', () => {
  it('is cut into parts that are its content, of which only the last is marked and only the last is short', async () => {
    const unit = SMALLEST_PART_BYTES / 4;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 5 }), async (sizes) => {
        const pieces = sizes.map((size, index) => Buffer.alloc(size * unit, index + 1));
        const whole = Buffer.concat(pieces);
        const parts = [];
        for await (const part of partsOf(Readable.from(pieces), undefined, 'warm')) parts.push(part);
        assert.ok(Buffer.concat(parts.map((part) => part.content)).equals(whole));
        assert.deepEqual(
          parts.map((part) => part.last),
          parts.map((_, index) => index === parts.length - 1),
        );
        for (const part of parts.slice(0, -1)) assert.equal(part.content.length, SMALLEST_PART_BYTES);
      }),
      { numRuns: 20 },
    );
  });

  it('fits into 10,000 parts up to 5 TiB, and is refused above', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 * 2 ** 40 }), (bytes) => {
        const size = partBytesFor(bytes, 'warm');
        assert.ok(size >= SMALLEST_PART_BYTES && size <= 528 * 2 ** 20 && size % SMALLEST_PART_BYTES === 0 && Math.ceil(bytes / size) <= 10_000);
      }),
    );
    assert.equal(partBytesFor(5 * 2 ** 40, 'warm'), 528 * 2 ** 20);
    assert.throws(() => partBytesFor(5 * 2 ** 40 + 1, 'warm'), { name: 'InvalidInput' });
  });

  it('that would have to be held in parts of more than 128 MiB is refused before a byte is read', async () => {
    await assert.rejects(partsOf(Readable.from([]), 2e12, 'warm').next(), { name: 'InvalidInput' });
  });
});

describe('a key', () => {
  it('is refused where one product would read it as another place, or a log as another line', () => {
    for (const key of [
      '',
      '/',
      '/a',
      'a//b',
      'a//',
      './a',
      'a/../b',
      'a/.',
      '..',
      'a\nb',
      'a\u0001',
      'a\u0000',
      'a\u007f',
      'a\u0085',
      '\ud800',
      'x'.repeat(1025),
    ]) {
      assert.throws(() => assertObjectKey(key, 'warm'), { name: 'InvalidInput' }, JSON.stringify(key));
    }
  });
  it('may otherwise hold what people use', () => {
    for (const key of ['a', 'a/', 'a/b/', '.a', 'a..b', '...', 'a b', '%2e%2e/x', 'a+b', 'ü', '日本/語', '😀']) assertObjectKey(key, 'warm');
    for (const prefix of ['', 'a', 'a/', 'a/b/']) assertKeyPrefix(prefix, 'warm');
    for (const prefix of ['/', '//', 'a//', '../']) assert.throws(() => assertKeyPrefix(prefix, 'warm'), { name: 'InvalidInput' });
  });
});

describe('an error of S3', () => {
  const error = (name: string, status?: number, message = '') => Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status } });
  it('has a type by its code, else by its status, else means that nobody answered', () => {
    const cases = [
      [error('SlowDown', 503), 'StoreThrottled'],
      [error('Whatever', 429), 'StoreThrottled'],
      [error('Whatever', 503), 'StoreThrottled'],
      [error('InternalError', 500), 'StoreUnavailable'],
      [error('Whatever', 502), 'StoreUnavailable'],
      [error('TimeoutError'), 'StoreUnavailable'],
      [Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }), 'StoreUnavailable'],
      [new AggregateError([], ''), 'StoreUnavailable'],
      [error('NoSuchKey', 404), 'NotFound'],
      [error('UnknownError', 404), 'NotFound'],
      [error('AccessDenied', 403), 'Denied'],
      [error('Whatever', 403), 'Denied'],
      [error('PreconditionFailed', 412), 'Conflict'],
      [error('QuotaExceeded', 403), 'OutOfSpace'],
      [error('InternalError', 500, 'write /x: no space left on device'), 'OutOfSpace'],
      [error('Whatever', 507), 'OutOfSpace'],
      [error('XMinioStorageFull', 507), 'OutOfSpace'],
      [error('BadDigest', 400), 'ChecksumMismatch'],
      [error('NotImplemented', 501), 'PolicyRefused'],
      [error('MalformedXML', 400), 'InvalidInput'],
    ] as const;
    for (const [thrown, type] of cases) assert.equal(s3ErrorType(thrown), type, `${thrown.name} ${thrown.message}`);
  });
});
