/** A codec thread: takes a slab over, codes it, hands it back. Started by codec-pool.ts; import it nowhere, for it listens to its parent. */
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../model/errors.ts';
import { createStripeCoder } from './code.ts';
import { type CodecReply, type CodecRequest, type CodecThreadData, runCodecJob } from './codec-job.ts';
import { needKernel } from './kernel/choose.ts';

const { kernel }: CodecThreadData = workerData;
const coder = createStripeCoder(await needKernel(kernel));

parentPort?.on('message', ({ id, job }: CodecRequest) => {
  try {
    parentPort?.postMessage({ id, result: runCodecJob(coder, job) } satisfies CodecReply, [job.slab]);
  } catch (error) {
    parentPort?.postMessage({ id, error: messageOf(error) } satisfies CodecReply);
  }
});
