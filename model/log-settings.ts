/** The site file's section `logs`: how the logs of running jobs are followed and cut. */
import * as z from 'zod';
import { BytesSchema } from './quantity.ts';

/** A chunk is packed and unpacked in memory. */
export const MAX_CHUNK_BYTES = 64 * 2 ** 20;
/** Small enough to read a range without waste, large enough to compress well and to keep a terabyte of logs below 130,000 objects. */
const DEFAULT_CHUNK_BYTES = 8 * 2 ** 20;

export const LogSettingsSchema = z.strictObject({
  follow: z
    .boolean()
    .default(true)
    .describe(
      "Ship logs while jobs run. false where the movers do not see the nodes' local roots under the paths of this file: then the node's own worker ships them when the job is over",
    ),
  chunkBytes: BytesSchema.refine((bytes) => bytes >= 1 && bytes <= MAX_CHUNK_BYTES, '1 byte to 64MiB')
    .default(DEFAULT_CHUNK_BYTES)
    .describe('A chunk is shipped when the log has grown by so much'),
  chunkSeconds: z
    .number()
    .min(1)
    .max(86_400)
    .default(60)
    .describe(
      'or when what is to be shipped is so old: what a node that dies with its storage may lose. A log that is written all the time makes an object each time',
    ),
});
export type LogSettings = z.output<typeof LogSettingsSchema>;
