/**
 * Memory that begins where it is wanted, for Node does not say where memory begins: mostly 16 bytes behind a page. O_DIRECT takes none that does not begin at a device's block; and
 * processors that copy by `rep movsb`, as the kernel does where they say that it is fast, are five times slower between a page and a place a few bytes behind one (AMD Zen 3).
 */

type AddressOf = (memory: ArrayBufferView) => bigint;

export const PAGE_BYTES = 4096;

let known: AddressOf | undefined;
let found: Promise<AddressOf | undefined> | undefined;

/** Undefined where addresses cannot be told: direct I/O is not to be used then. */
export function findAddressOf(): Promise<AddressOf | undefined> {
  found ??= import('koffi').then(
    ({ address }) => {
      known = address;
      return address;
    },
    () => undefined,
  );
  return found;
}

/** Lies outside of V8's heap, so it never moves. Not aligned where addresses cannot be told. */
export async function allocateAligned(bytes: number, alignment: number): Promise<Buffer> {
  await findAddressOf();
  return allocateAlignedNow(bytes, alignment);
}

/** The same for whoever has waited for {@link findAddressOf} before; not aligned for others. */
export function allocateAlignedNow(bytes: number, alignment: number): Buffer {
  if (!known) return Buffer.allocUnsafeSlow(bytes);
  const whole = Buffer.allocUnsafeSlow(bytes + alignment);
  const before = Number(known(whole) % BigInt(alignment));
  const start = before === 0 ? 0 : alignment - before;
  return whole.subarray(start, start + bytes);
}
