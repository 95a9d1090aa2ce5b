/** The code of docs/formats/erasure.md as it is written there, slowly, sharing nothing with the code under test. */

export const CELLS = 18;
const DATA = 14;

/** Carry-less multiplication and reduction by 0x11d, bit by bit. */
export function slowMultiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) if (b & (1 << bit)) product ^= a << bit;
  for (let bit = 14; bit >= 8; bit--) if (product & (1 << bit)) product ^= 0x11d << (bit - 8);
  return product;
}

export function slowInverse(a: number): number {
  for (let candidate = 1; candidate < 256; candidate++) if (slowMultiply(a, candidate) === 1) return candidate;
  throw new Error(`${a} has no inverse`);
}

/** CRC32C, a bit at a time: reflected, polynomial 0x82f63b78. */
const crcOfByte = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f6_3b78 : value >>> 1;
  return value;
});
export function slowCrc32c(bytes: Uint8Array): number {
  let value = 0xffff_ffff;
  for (const byte of bytes) value = (value >>> 8) ^ (crcOfByte[(value ^ byte) & 255] ?? 0);
  return (value ^ 0xffff_ffff) >>> 0;
}

/** The data cells with their parities: parity[i][x] = XOR over j of inverse(i XOR j) * data[j][x]. */
export function definedStripe(data: Uint8Array, cellBytes: number): Buffer {
  const stripe = Buffer.alloc(CELLS * cellBytes);
  stripe.set(data.subarray(0, DATA * cellBytes));
  for (let i = DATA; i < CELLS; i++) {
    for (let j = 0; j < DATA; j++) {
      const coefficient = slowInverse(i ^ j);
      const products = Uint8Array.from({ length: 256 }, (_, value) => slowMultiply(coefficient, value));
      for (let x = 0; x < cellBytes; x++) {
        stripe[i * cellBytes + x] = (stripe[i * cellBytes + x] ?? 0) ^ (products[stripe[j * cellBytes + x] ?? 0] ?? 0);
      }
    }
  }
  return stripe;
}
