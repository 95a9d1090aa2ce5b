/** What is measured, and how often. */
import type { Workload } from './workload.ts';

export type Storage = 'memory' | 'disk';
export type Transport = 'http' | 'tls';
/** `copy` is within one endpoint, by the server; `stream` from one endpoint to another, through the client. */
export type Operation = 'up' | 'down' | 'copy' | 'stream';

/** Cases that share a gateway and its content. */
export interface Stage {
  readonly storage: Storage;
  readonly transport: Transport;
  readonly workload: Workload;
  readonly operations: readonly Operation[];
  readonly runs: number;
  /**
   * A worker starts once, a peer with every command. Full runs are long enough to hold ours with Node's start to the goals; in short ones the start would
   * be most of it, so they hold what came after it to them.
   */
  readonly judgedWithStart: boolean;
}

const KIB = 1024;
const MIB = 2 ** 20;
const one: Workload = { name: '1x4GiB', files: 1, bytesEach: 4096 * MIB };
const large: Workload = { name: '64x64MiB', files: 64, bytesEach: 64 * MIB };
const medium: Workload = { name: '4096x1MiB', files: 4096, bytesEach: MIB };
const small: Workload = { name: '50000x4KiB', files: 50_000, bytesEach: 4 * KIB };
const workloads = [one, large, medium, small];
const all: readonly Operation[] = ['up', 'down', 'copy', 'stream'];
const upDownCopy: readonly Operation[] = ['up', 'down', 'copy'];
const upAndDown: readonly Operation[] = ['up', 'down'];

const full = { runs: 5, judgedWithStart: true } as const;
const memoryHttp = { ...full, storage: 'memory', transport: 'http' } as const;
const diskHttp = { ...full, storage: 'disk', transport: 'http' } as const;
/** What fits into 80 minutes of two cores, of which the small objects take 35. */
export const fullStages: readonly Stage[] = [
  { ...memoryHttp, workload: one, operations: upDownCopy },
  { ...memoryHttp, workload: large, operations: all },
  { ...memoryHttp, workload: medium, operations: upDownCopy },
  { ...memoryHttp, workload: small, operations: upDownCopy },
  { ...full, storage: 'memory', transport: 'tls', workload: large, operations: upAndDown },
  { ...full, storage: 'memory', transport: 'tls', workload: medium, operations: upAndDown },
  { ...diskHttp, workload: large, operations: upAndDown },
  { ...diskHttp, workload: medium, operations: upAndDown },
];
/** What `--case` chooses from. */
export const allStages: readonly Stage[] = (['memory', 'disk'] as const).flatMap((storage) =>
  (['http', 'tls'] as const).flatMap((transport) => workloads.map((workload): Stage => ({ ...full, storage, transport, workload, operations: all }))),
);

const quick = { storage: 'memory', transport: 'http', operations: upDownCopy, judgedWithStart: false } as const;
export const quickStages: readonly Stage[] = [
  { ...quick, workload: { name: '4x128MiB', files: 4, bytesEach: 128 * MIB }, runs: 2 },
  { ...quick, workload: { name: '2000x4KiB', files: 2000, bytesEach: 4 * KIB }, runs: 1 },
];

export const caseName = ({ storage, transport, workload }: Stage, operation: Operation): string => `${storage}/${transport}/${operation}/${workload.name}`;
