import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ancestorsAndSelf, canonicalPath, isBelow, join, printable, steps } from '../../../dev/hot-tier-emulator/paths.ts';

const step = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => !/[/\p{Cc}\u2028\u2029]/u.test(text) && text !== '.' && text !== '..');
const path = fc.array(step, { minLength: 1, maxLength: 6 }).map((parts) => `/${parts.join('/')}`);
/** Made of what breaks paths. */
const hostile = fc
  .array(fc.constantFrom('/', '.', '..', 'a', '\u0000', '\n', '\u001b', '\u2028', '\ud800', '//', '%2e', '\\', ' '), { maxLength: 12 })
  .map((parts) => parts.join(''));

test('an accepted path is already what a file system would make of it', () => {
  fc.assert(
    fc.property(fc.oneof(path, hostile), (raw) => {
      const canonical = canonicalPath(raw);
      if (!canonical.ok) return;
      assert.equal(canonical.path, posix.normalize(canonical.path));
      assert.ok(canonical.path.startsWith('/') && (canonical.path === '/' || !canonical.path.endsWith('/')));
      assert.deepEqual(canonicalPath(canonical.path), canonical);
      assert.ok(!steps(canonical.path).some((each) => each === '' || each === '.' || each === '..'));
      assert.doesNotMatch(canonical.path, /[\p{Cc}\u2028\u2029]/u);
    }),
  );
});

test('every plain path is accepted as it is, and a closing slash means the same', () => {
  fc.assert(
    fc.property(path, (raw) => {
      assert.deepEqual(canonicalPath(raw), { ok: true, path: raw });
      assert.deepEqual(canonicalPath(`${raw}/`), { ok: true, path: raw });
    }),
  );
});

test('what leads elsewhere, or could be read twice, is refused', () => {
  for (const raw of [
    '',
    'a',
    './a',
    '/..',
    '/a/../b',
    '/a/./b',
    '//',
    '/a//b',
    '/a//',
    '/a\n',
    '/a\u0000',
    '/a\u001b[2J',
    '/a\u0085',
    '/\ud800',
    `/${'x'.repeat(256)}`,
    `/${'x/'.repeat(2100)}`,
  ]) {
    assert.equal(canonicalPath(raw).ok, false, JSON.stringify(raw));
  }
});

test('below means step by step: a path, its ancestors and nobody else', () => {
  fc.assert(
    fc.property(path, step, (parent, name) => {
      const child = join(parent, name);
      assert.ok(isBelow(child, parent) && isBelow(child, child) && isBelow(child, '/') && !isBelow(parent, child));
      assert.ok(!isBelow(`${parent}${name}`, parent), 'a longer name is a neighbour');
      assert.ok(ancestorsAndSelf(child).every((each) => isBelow(child, each)));
      assert.equal(ancestorsAndSelf(child).length, steps(child).length + 1);
    }),
  );
});

test('what is written into a log is one line, whatever was sent', () => {
  fc.assert(
    fc.property(fc.oneof(hostile, fc.string({ unit: 'binary' })), (raw) => {
      assert.doesNotMatch(printable(raw), /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      assert.ok(printable(raw).isWellFormed());
      assert.equal(printable(printable(raw)), printable(raw));
    }),
  );
});
