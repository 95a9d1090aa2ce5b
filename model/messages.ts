/** Names of the workflows and of the messages they understand; the only thing clients and workflows share besides the schemas. */
export const workflowTypes = {
  allocation: 'allocation',
  restoreCheckpoint: 'restoreCheckpoint',
  transfer: 'transfer',
  check: 'check',
  replicate: 'replicate',
  recall: 'recall',
  limits: 'limits',
  sweep: 'sweep',
  scrub: 'scrub',
  repair: 'repair',
  broker: 'broker',
  demotionPolicy: 'demotionPolicy',
  retain: 'retain',
} as const;

export const updateNames = {
  assignNodes: 'assignNodes',
  reserveCheckpoint: 'reserveCheckpoint',
  commitCheckpoint: 'commitCheckpoint',
  finish: 'finish',
  cancel: 'cancel',
  reschedule: 'reschedule',
  extendRetention: 'extendRetention',
  placeHold: 'placeHold',
  releaseHold: 'releaseHold',
  disposeRetained: 'disposeRetained',
  setRate: 'setRate',
  setStoreLimit: 'setStoreLimit',
  storeLimits: 'storeLimits',
  pause: 'pause',
  resume: 'resume',
  repairMore: 'repairMore',
  callOffRack: 'callOffRack',
  reserve: 'reserve',
  renew: 'renew',
  release: 'release',
  brokerState: 'brokerState',
  suspectStores: 'suspectStores',
} as const;

export const queryNames = {
  status: 'status',
  readiness: 'readiness',
  transferStatus: 'transferStatus',
  storeLimits: 'storeLimits',
  brokerState: 'brokerState',
  drainBegun: 'drainBegun',
} as const;

/** Sent by Penstock's own activities and workflows, not by schedulers. */
export const signalNames = {
  stagingReport: 'stagingReport',
  checkpointDrained: 'checkpointDrained',
  drainBegun: 'drainBegun',
  checkpointSuperseded: 'checkpointSuperseded',
  unitProgress: 'unitProgress',
  repairsQueued: 'repairsQueued',
} as const;

/** A refusal that ends by itself within moments: the same call again, with the same update id. */
export const TRY_AGAIN = 'TryAgain';
