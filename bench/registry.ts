/** Every benchmark by its name; `npm run bench -- NAME` finds it here. */
import { auditBench } from './audit/index.ts';
import { checkpointBench } from './checkpoint/index.ts';
import { erasureBench } from './erasure/index.ts';
import type { Bench } from './harness/bench.ts';
import { manifestBench } from './manifest/index.ts';
import { transferBench } from './transfer/index.ts';

export const benches: readonly Bench[] = [transferBench, manifestBench, erasureBench, checkpointBench, auditBench];
