/** Paths of the tier as text: what is accepted, how two compare, how one is written into the audit log. Pure. */

/** Longest path and step, in bytes of UTF-8, as Linux has them. */
const MAX_PATH_BYTES = 4096;
const MAX_STEP_BYTES = 255;

/** Control characters and Unicode's line separators: never part of a name here, for they could forge a line of a log. */
const refusedCharacters = /[\p{Cc}\u2028\u2029]/u;
/** Those, and the marks that reorder a displayed line. */
const unprintable = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

export type Canonical = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly reason: string };

/**
 * "/a/b" from "/a/b" or "/a/b/"; "/" is the tier itself. Nothing else is repaired: `..`, `.`, `//`, a relative path and
 * control characters are refused, for a path that has to be interpreted can be interpreted in two ways.
 */
export function canonicalPath(raw: string): Canonical {
  const refuse = (reason: string): Canonical => ({ ok: false, reason });
  if (!raw.startsWith('/')) return refuse('a path starts with "/"');
  if (refusedCharacters.test(raw) || !raw.isWellFormed()) return refuse('a path has no control characters and is valid Unicode');
  if (Buffer.byteLength(raw) > MAX_PATH_BYTES) return refuse(`a path has at most ${MAX_PATH_BYTES} bytes`);
  if (raw === '/') return { ok: true, path: raw };
  const path = raw.endsWith('/') ? raw.slice(0, -1) : raw;
  for (const step of path.slice(1).split('/')) {
    if (step === '') return refuse('a path has no empty steps ("//")');
    if (step === '.' || step === '..') return refuse('a path has no "." or ".." steps');
    if (Buffer.byteLength(step) > MAX_STEP_BYTES) return refuse(`a step of a path has at most ${MAX_STEP_BYTES} bytes`);
  }
  return { ok: true, path };
}

/** ["a", "b"] of "/a/b"; none of "/". */
export function steps(path: string): string[] {
  return path === '/' ? [] : path.slice(1).split('/');
}

export function join(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`;
}

/** Step by step, so "/ab" is not below "/a". A path is below itself. */
export function isBelow(path: string, ancestor: string): boolean {
  return ancestor === '/' || path === ancestor || path.startsWith(`${ancestor}/`);
}

/** "/", "/a", "/a/b" of "/a/b". */
export function ancestorsAndSelf(path: string): string[] {
  const all = ['/'];
  for (const step of steps(path)) all.push(join(all.at(-1) ?? '/', step));
  return all;
}

/** Whatever a caller sent, as one printable line: ESC becomes the six characters `\u001b`. */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`).toWellFormed();
}
