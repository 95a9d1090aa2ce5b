/**
 * Our kernels as the benchmark asks for them: a line "KERNEL CHECKSUMS CELL_BYTES THREADS MILLISECONDS" on standard input, with 0 or 1 for CHECKSUMS, is answered with bytes of
 * data per second, and per second of processor time. The peers' programs do the same without the first two words.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { kernelNames } from '../../datapath/erasure/kernel/choose.ts';
import type { CodingRates, CodingRun } from './kernel-thread.ts';

const threads: Worker[] = [];

for await (const line of createInterface({ input: process.stdin })) {
  const [name, checksums, cellBytes, count, milliseconds] = line.split(' ');
  const kernel = kernelNames.find((known) => known === name);
  if (!kernel) throw new RangeError(`there is no kernel ${name}; there are ${kernelNames.join(', ')}`);
  const run: CodingRun = { kernel, checksums: checksums === '1', cellBytes: Number(cellBytes), milliseconds: Number(milliseconds) };
  while (threads.length < Number(count)) threads.push(new Worker(new URL('./kernel-thread.ts', import.meta.url)));
  const rates = await Promise.all(threads.slice(0, Number(count)).map((thread) => ratesOf(thread, run)));
  const total = (rate: keyof CodingRates): number => Math.round(rates.reduce((sum, each) => sum + each[rate], 0));
  process.stdout.write(`${total('perSecond')} ${total('perCpuSecond')}\n`);
}
await Promise.all(threads.map((thread) => thread.terminate()));

async function ratesOf(thread: Worker, run: CodingRun): Promise<CodingRates> {
  thread.postMessage(run);
  const [rates]: CodingRates[] = await once(thread, 'message');
  if (!rates) throw new Error('a kernel thread sent an empty answer');
  return rates;
}
