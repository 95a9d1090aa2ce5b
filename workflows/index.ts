/** Every workflow of Penstock; this is what the worker bundles. */
export { allocation } from './allocation.ts';
export { archiveLogs } from './archive-logs.ts';
export { broker } from './broker.ts';
export { check } from './check.ts';
export { demote } from './demote.ts';
export { drainCheckpoint } from './drain-checkpoint.ts';
export { limits } from './limits.ts';
export { move } from './move.ts';
export { prestage } from './prestage.ts';
export { repair } from './repair.ts';
export { replicate } from './replicate.ts';
export { restoreCheckpoint } from './restore-checkpoint.ts';
export { retain } from './retain.ts';
export { retainCheckpoints } from './retain-checkpoints.ts';
export { scrub } from './scrub.ts';
export { sweep } from './sweep.ts';
export { transfer } from './transfer.ts';
