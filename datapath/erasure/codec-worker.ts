/** A codec thread: takes a slab over, codes it, hands it back. Started by codec-pool.ts; import it nowhere, for it listens to its parent. */
import { parentPort } from 'node:worker_threads';
import { type CodecReply, type CodecRequest, runCodecJob } from './codec-job.ts';

parentPort?.on('message', ({ id, job }: CodecRequest) => {
  try {
    parentPort?.postMessage({ id, result: runCodecJob(job) } satisfies CodecReply, [job.slab]);
  } catch (error) {
    parentPort?.postMessage({ id, error: error instanceof Error ? error.message : String(error) } satisfies CodecReply);
  }
});
