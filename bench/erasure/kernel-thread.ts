/** A thread of kernel-client.ts: codes stripes over and over, on memory that no cache holds. Import it nowhere, for it listens to its parent. */
import { randomFillSync } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { generatorMatrix } from '../../datapath/erasure/code.ts';
import { needKernel } from '../../datapath/erasure/kernel/choose.ts';
import type { Combine, KernelName } from '../../datapath/erasure/kernel/kernel.ts';
import { DATA_SHARDS, TOTAL_SHARDS } from '../../datapath/erasure/layout.ts';

export interface CodingRun {
  readonly kernel: KernelName;
  readonly cellBytes: number;
  /** With the CRC32C of all 18 cells. */
  readonly checksums: boolean;
  readonly milliseconds: number;
}

/** Bytes of data. */
export interface CodingRates {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

/** As the peers' programs. */
const WORKING_SET_BYTES = 64 << 20;
const cells = Array.from({ length: TOTAL_SHARDS }, (_, index) => index);
const prepared = new Map<string, Combine>();
let slabs: readonly ArrayBuffer[] = [];

parentPort?.on('message', async (run: CodingRun) => {
  const combine = await prepare(run);
  useSlabsOf(run.cellBytes);
  parentPort?.postMessage(measure(combine, run));
});

async function prepare({ kernel, checksums }: CodingRun): Promise<Combine> {
  const key = `${kernel} ${checksums}`;
  const combine =
    prepared.get(key) ??
    (await needKernel(kernel)).prepare({
      rows: generatorMatrix.slice(DATA_SHARDS),
      sources: cells.slice(0, DATA_SHARDS),
      targets: cells.slice(DATA_SHARDS),
      checksummed: checksums ? cells : [],
    });
  prepared.set(key, combine);
  return combine;
}

function useSlabsOf(cellBytes: number): void {
  const bytes = TOTAL_SHARDS * cellBytes;
  if (slabs[0]?.byteLength === bytes) return;
  slabs = Array.from({ length: Math.floor(WORKING_SET_BYTES / bytes) }, () => {
    const slab = new Uint8Array(bytes);
    randomFillSync(slab, 0, 65_536);
    slab.copyWithin(65_536, 0);
    return slab.buffer;
  });
}

function measure(combine: Combine, { cellBytes, milliseconds }: CodingRun): CodingRates {
  const cpuStart = process.threadCpuUsage();
  const start = performance.now();
  let end = start;
  let coded = 0;
  for (let turn = 0; end - start < milliseconds; turn++) {
    const slab = slabs[turn % slabs.length];
    if (!slab) throw new RangeError(`a stripe of ${cellBytes} bytes a cell is larger than the working set`);
    combine(slab, cellBytes);
    coded += DATA_SHARDS * cellBytes;
    end = performance.now();
  }
  const cpu = process.threadCpuUsage(cpuStart);
  return { perSecond: (coded / (end - start)) * 1000, perCpuSecond: (coded / (cpu.user + cpu.system)) * 1e6 };
}
