/** The S3 store of a client process: its credentials come by the environment, as a peer's do. */
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';

export function storeOfEnvironment(name: string, endpoint: string): ObjectStore {
  return createS3ObjectStore({
    name,
    endpoint,
    region: process.env['AWS_REGION'] ?? '',
    credentials: { accessKeyId: process.env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: process.env['AWS_SECRET_ACCESS_KEY'] ?? '' },
  });
}
