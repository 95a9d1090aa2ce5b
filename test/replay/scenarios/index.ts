/** Every scenario of the recorder, in the order they run. */
import type { Scenario } from '../scenario.ts';
import { archiving } from './archiving.ts';
import { brokered, storeOut } from './broker.ts';
import { superseding } from './checkpoints.ts';
import { copies } from './copies.ts';
import { demotion, demotionContinued } from './demotion.ts';
import { cancelledByAbandon, cancelledByDrain, cancelledEarly, cancelledNatively, overdue, refused, stuckDrain } from './endings.ts';
import { repairCalledOff, repairContinued, repairPutOff, repairStopped, repairWoken, scrubAndRepair, scrubContinued, scrubInItsHours } from './erasure.ts';
import { followedLogs } from './logs.ts';
import { continuedAsNew, earlyStart, fullTier, lapsedPin, refusedFloor, workersKilled } from './rough.ts';
import { adHoc, inUnits, verifiedInParts } from './transfers.ts';
import { heldAndDisposed, retention, wholeLife } from './whole-life.ts';

export const scenarios: readonly Scenario[] = [
  wholeLife,
  retention,
  heldAndDisposed,
  cancelledByDrain,
  cancelledByAbandon,
  cancelledNatively,
  cancelledEarly,
  refused,
  stuckDrain,
  refusedFloor,
  fullTier,
  workersKilled,
  overdue,
  lapsedPin,
  earlyStart,
  continuedAsNew,
  adHoc,
  inUnits,
  verifiedInParts,
  copies,
  archiving,
  brokered,
  storeOut,
  superseding,
  followedLogs,
  scrubAndRepair,
  scrubContinued,
  scrubInItsHours,
  repairPutOff,
  repairStopped,
  repairContinued,
  repairWoken,
  repairCalledOff,
  demotion,
  demotionContinued,
];
