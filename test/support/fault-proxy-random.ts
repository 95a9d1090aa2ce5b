/** Chance that can be had again: everything follows from the words it is asked with. */
import { createCipheriv, createHash } from 'node:crypto';

/** Eight numbers from 0 to below 1. */
export function drawsOf(...words: readonly (string | number)[]): readonly [number, number, number, number, number, number, number, number] {
  const digest = createHash('sha256').update(JSON.stringify(words)).digest();
  const draw = (index: number): number => digest.readUInt32BE(4 * index) / 2 ** 32;
  return [draw(0), draw(1), draw(2), draw(3), draw(4), draw(5), draw(6), draw(7)];
}

/** Content without a pattern, at the speed of AES. */
export function contentOf(length: number, ...words: readonly (string | number)[]): Buffer {
  const key = createHash('sha256').update(JSON.stringify(words)).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}
