/** Every workflow of Penstock; this is what the worker bundles. */
export { allocation } from './allocation.ts';
export { archiveLogs } from './archive-logs.ts';
export { demote } from './demote.ts';
export { drainCheckpoint } from './drain-checkpoint.ts';
export { prestage } from './prestage.ts';
export { restoreCheckpoint } from './restore-checkpoint.ts';
export { retain } from './retain.ts';
