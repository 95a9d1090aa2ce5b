/** What a proxy does to a body as it passes: nothing, a flipped bit, a cut. */
import { Transform } from 'node:stream';

export type BodyFault =
  | { readonly kind: 'flip'; readonly position: number; readonly bit: number; readonly hit: () => void }
  | { readonly kind: 'cut'; readonly position: number; readonly hit: () => void };

/** A reset throws away what the other side has not read yet: what was let pass is given time to arrive. */
const ARRIVAL_MS = 10;

export function bodyTransform(fault: BodyFault): Transform {
  return fault.kind === 'flip' ? flipBit(fault.position, fault.bit, fault.hit) : cutAt(fault.position, fault.hit);
}

function flipBit(position: number, bit: number, hit: () => void): Transform {
  let offset = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const index = position - offset;
      offset += chunk.length;
      if (index < 0 || index >= chunk.length) return done(null, chunk);
      const flipped = Buffer.from(chunk);
      flipped.writeUInt8(flipped.readUInt8(index) ^ (1 << bit), index);
      hit();
      done(null, flipped);
    },
  });
}

/** Lets so many bytes pass, then tells, and never ends. */
function cutAt(position: number, hit: () => void): Transform {
  let left = position;
  let isCut = false;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (isCut) return done();
      const part = chunk.subarray(0, left);
      left -= part.length;
      isCut = left === 0;
      if (isCut) setTimeout(hit, ARRIVAL_MS);
      done(null, part.length > 0 ? part : undefined);
    },
    flush() {
      // Shorter than it was announced to be: cut all the same.
      if (!isCut) hit();
    },
  });
}
