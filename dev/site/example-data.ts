/** The data set that README.md and examples/ name, so that their commands work on an empty site. */
import { openS3 } from '../../drivers/open-site.ts';
import { PenstockError } from '../../model/errors.ts';
import type { S3StoreConfig } from '../../model/site.ts';

export const EXAMPLE_BUCKET = 'training-data';
export const EXAMPLE_PREFIX = 'imagenet/';
const CONTENT = 'An example, so that there is something to stage. Put your own data beside it.\n';

/** Leaves what is there as it is. */
export async function putExampleData(config: S3StoreConfig): Promise<void> {
  const warm = await openS3('warm', config);
  await warm.ensureBucket(EXAMPLE_BUCKET);
  try {
    await warm.writeBytes(EXAMPLE_BUCKET, `${EXAMPLE_PREFIX}example.txt`, Buffer.from(CONTENT), { ifNoneMatch: true, contentType: 'text/plain' });
  } catch (error) {
    if (!(error instanceof PenstockError && error.type === 'Conflict')) throw error;
  }
}
