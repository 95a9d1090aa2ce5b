/** Reading a long range in one request, block by block, no faster than the blocks are used. */
import { createCrc32cMeter } from '../../datapath/transfer/crc32c.ts';
import { createForeignMeter, type ForeignMeter } from '../../datapath/transfer/foreign-checksum.ts';
import type { ReadAnswer, ReadBlocksOptions } from './port.ts';
import type { RawAnswer } from './raw/answer.ts';
import { foreignIn } from './s3-answers.ts';
import { headObject } from './s3-head.ts';
import { checked, gotOf, type RangeRequest, rangeRequest, rawRequest, readError, readInto } from './s3-read-into.ts';
import type { S3Target } from './s3-target.ts';

export async function* readBlocks(target: S3Target, buffers: readonly Buffer[], options: ReadBlocksOptions): AsyncGenerator<Buffer, ReadAnswer> {
  const ending = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal;
  const request = rangeRequest(options.bytes, { ...options, signal });
  let receiving: Receiving | undefined;
  try {
    receiving = await target.raw.orElse<Receiving | undefined>(
      () => receive(target, buffers, request),
      () => Promise.resolve(undefined),
    );
    if (!receiving) return yield* inSpans(target, buffers, options);
    for (let block = await receiving.next(); block; block = await receiving.next()) {
      yield block;
      receiving.giveBack(block);
    }
    const { answer, crc32c, foreign } = await receiving.end();
    return await checked(target, request, gotOf(answer, request, crc32c), options.totalBytes, foreign);
  } catch (error) {
    throw readError(error, target, options);
  } finally {
    // Nothing may be received into the buffers once they are somebody else's.
    ending.abort();
    await receiving?.end().catch(() => undefined);
  }
}

interface Receiving {
  /** Undefined behind the last block, or where receiving failed. */
  next(): Promise<Buffer | undefined>;
  giveBack(block: Buffer): void;
  end(): Promise<{ readonly answer: RawAnswer; readonly crc32c: string; foreign(): Promise<string> }>;
}

/** Resolves with the first block. @throws where it fails before */
async function receive(target: S3Target, [into, ...others]: readonly Buffer[], request: RangeRequest): Promise<Receiving> {
  const full: Buffer[] = [];
  const free = [...others];
  const meter = createCrc32cMeter();
  let foreign: ForeignMeter | undefined;
  let fill: ((buffer: Buffer) => void) | undefined;
  let wake: (() => void) | undefined;
  let isOver = false;
  const take = (block: Buffer): Buffer | Promise<Buffer> => {
    full.push(block);
    wake?.();
    return (
      free.pop() ??
      new Promise((resolve) => {
        fill = resolve;
      })
    );
  };
  const sent = target.raw.send({
    ...rawRequest(target, request),
    ...(into ? { into } : {}),
    drain: { bytes: request.bytes, take },
    told: (headers) => {
      const kept = foreignIn(headers).foreign;
      foreign = kept && createForeignMeter(kept.algorithm);
    },
    seen(piece) {
      meter.add(piece);
      foreign?.add(piece);
    },
  });
  const over = (): void => {
    isOver = true;
    wake?.();
  };
  sent.then(over, over);
  const blockOrEnd = async (): Promise<void> => {
    while (full.length === 0 && !isOver) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  await blockOrEnd();
  if (full.length === 0) await sent;
  return {
    async next() {
      await blockOrEnd();
      return full.shift();
    },
    giveBack(block) {
      if (fill) fill(block);
      else free.push(block);
      fill = undefined;
    },
    end: async () => ({ answer: await sent, crc32c: meter.crc32c(), foreign: () => foreign?.value() ?? Promise.resolve('') }),
  };
}

/** For a store that only the SDK understands: one request per block. What it keeps of the whole is asked before, for no answer to a range need tell it. */
async function* inSpans(target: S3Target, [into]: readonly Buffer[], options: ReadBlocksOptions): AsyncGenerator<Buffer, ReadAnswer> {
  const { bytes, start = 0, totalBytes, ifMatch, signal } = options;
  const request = rangeRequest(bytes, options);
  const kept = request.range === undefined ? await headObject(target, { ...(ifMatch ? { ifMatch } : {}), ...(signal ? { signal } : {}) }) : undefined;
  const meter = createCrc32cMeter();
  const foreign = kept?.foreign && createForeignMeter(kept.foreign.algorithm);
  for (let position = 0; ; ) {
    const block = into?.subarray(0, bytes - position) ?? Buffer.alloc(0);
    const answer = await readInto(target, block, { ...options, start: start + position });
    meter.add(block.subarray(0, answer.bytes));
    foreign?.add(block.subarray(0, answer.bytes));
    position += answer.bytes;
    if (answer.bytes > 0) yield block.subarray(0, answer.bytes);
    if (position < bytes && answer.bytes === block.length && block.length > 0) continue;
    const whole = { ...answer, bytes: position, crc32c: undefined, readCrc32c: meter.crc32c() };
    if (!kept || position < answer.totalBytes) return whole;
    const told = { announced: position, contentRange: undefined, crc32c: kept.crc32c, ...(kept.foreign ? { foreign: kept.foreign } : {}) };
    return await checked(target, request, { ...whole, ...told }, totalBytes, () => foreign?.value() ?? Promise.resolve(''));
  }
}
