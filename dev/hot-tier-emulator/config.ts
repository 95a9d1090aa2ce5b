/** The emulator's configuration: one JSON file, every field checked. */
import * as z from 'zod';

const DirectorySchema = z.string().startsWith('/').max(4096);
const PositiveSchema = z.int().positive();

export const EmulatorConfigSchema = z.strictObject({
  port: z.int().min(0).max(65_535).describe('On 127.0.0.1; 0 takes a free one'),
  root: DirectorySchema.describe('The hot tree itself'),
  snapshotsRoot: DirectorySchema.describe('Where snapshots lie; outside the tree'),
  originRoot: DirectorySchema.describe('The remote dataspace: what the tier knows and can recall; only read'),
  stateFile: DirectorySchema.describe('What is exported, reserved, snapshot and prefetched; the audit log lies beside it, with ".audit.jsonl" appended'),
  token: z.string().min(16).max(512),
  capacityBytes: PositiveSchema,
  readBytesPerSecond: PositiveSchema,
  writeBytesPerSecond: PositiveSchema,
  s3Endpoint: z.url().describe('The gateway that serves the same tree; told to clients, never called'),
  nfs: z
    .strictObject({
      address: z.string().min(1),
      port: z.int().min(1).max(65_535),
      pseudoPath: DirectorySchema.describe('Where the server shows the whole tree'),
      control: z
        .strictObject({ exportsDirectory: DirectorySchema, pidFile: DirectorySchema })
        .optional()
        .describe('Each live export becomes one of the server, and ends with it; without this, clients reach the whole tree'),
    })
    .optional()
    .describe('The NFS server that serves the same tree; told to clients'),
});

export type EmulatorConfig = z.output<typeof EmulatorConfigSchema>;
