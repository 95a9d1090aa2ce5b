/** Which activity is which operation on data, and what it is about. Each activity stands in one of the two tables: a test holds it to that. */
import * as z from 'zod';
import type { AuditOperation, OperationFacts } from '../model/audit.ts';

export const auditedActivities = {
  admit: 'admit',
  survey: 'survey',
  listPrefix: 'survey',
  listTransfer: 'survey',
  reserveHot: 'make-room',
  recall: 'retrieve',
  openRecall: 'survey',
  recallRound: 'retrieve',
  preparePrefixes: 'prepare',
  prepareNode: 'prepare',
  openExports: 'export',
  takeSnapshots: 'snapshot',
  releaseHoldings: 'revoke',
  dropUncommitted: 'checkpoint-drop',
  wipeNode: 'wipe',
  archiveNodeLogs: 'archive-logs',
  followLogs: 'archive-logs',
  closeLogs: 'archive-logs',
  moveUnit: 'copy',
  moveWhole: 'copy',
  transferSegment: 'copy',
  finishMove: 'publish',
  abandonMove: 'delete',
  removeMoved: 'delete',
  listDemotion: 'survey',
  removeDemoted: 'delete',
  writeOutputRecord: 'publish',
  verifyArchived: 'verify',
  writeCatalog: 'publish',
  verifyTransfer: 'verify',
  checkPart: 'verify',
  verifyLocks: 'attest',
  attestLocks: 'attest',
  attestRetained: 'attest',
  extendLocks: 'extend',
  placeHold: 'hold',
  releaseHold: 'hold',
  deleteRetained: 'delete',
  prepareCheckpoint: 'prepare',
  commitCheckpoint: 'checkpoint-commit',
  drainToErasureSet: 'checkpoint-drain',
  verifyDrained: 'verify',
  releaseRackCopy: 'checkpoint-release',
  abandonCheckpoint: 'checkpoint-abandon',
  dropCheckpointCopies: 'checkpoint-abandon',
  removeSuperfluousCheckpoints: 'delete',
  restoreFromErasureSet: 'checkpoint-restore',
  replicatePart: 'replicate',
  repairUnit: 'repair',
  claimObjects: 'repair',
  scrubSegment: 'verify',
  sweepStores: 'delete',
  sweepRack: 'delete',
  sweepNode: 'delete',
} as const satisfies Readonly<Record<string, AuditOperation>>;

/** Records, limits, plans and signals: no data of a tenant is read, written or given away. */
export const otherActivities: ReadonlySet<string> = new Set([
  'renewPins',
  'requestCancellation',
  'openTransfer',
  'openCheck',
  'writeCheckReport',
  'openReplication',
  'openScrub',
  'openDemotion',
  'recordDemotion',
  'planSweep',
  'planRepairs',
  'requeueRepairs',
  'listLostRack',
  'callOffRack',
  'setErasureLimit',
  'setTransferLimit',
  'setStoreLimit',
  'readStoreLimits',
  'readFabric',
  'askStore',
]);

const LocationSchema = z.object({ store: z.string(), bucket: z.string(), prefix: z.string() });
/** What inputs of activities have in common; what is absent, or of another shape, is not known. */
const known = <S extends z.ZodType>(schema: S) => schema.optional().catch(undefined);
const InputSchema = z.object({
  tenant: known(z.string()),
  project: known(z.string()),
  allocationId: known(z.string()),
  user: known(z.string()),
  nodeId: known(z.string()),
  node: known(z.object({ nodeId: z.string() })),
  checkpointId: known(z.string()),
  source: known(LocationSchema),
  target: known(LocationSchema),
  manifest: known(LocationSchema),
  path: known(z.string()),
  prefix: known(z.string()),
  to: known(z.string()),
  rackId: known(z.string()),
  retainUntil: known(z.string()),
  reason: known(z.string()),
  retention: known(z.object({ retainUntil: z.string() })),
  names: known(z.array(z.string())),
  mounts: known(z.array(z.object({ source: z.string() }))),
});

/** Workflows whose ids begin with an allocation's name. */
const OF_ALLOCATION = /^(?:allocation|prestage|logs|follow-logs|demote|retention|checkpoint-retention|drain|restore|recall)\/([^/]+)\/([^/]+)\/([^/]+)/;

/** Undefined for an activity that is no operation on data. */
export function operationOf(activityType: string, input: unknown, workflowId: string | undefined): OperationFacts | undefined {
  if (!isAudited(activityType)) return undefined;
  const parsed = InputSchema.safeParse(input);
  const facts: z.output<typeof InputSchema> = parsed.success ? parsed.data : {};
  const [, tenant, project, allocationId] = OF_ALLOCATION.exec(workflowId ?? '') ?? [];
  const owner = facts.tenant === undefined ? { tenant, project, allocationId } : facts;
  const store = facts.target?.store ?? facts.source?.store;
  return {
    operation: auditedActivities[activityType],
    user: facts.user,
    tenant: owner.tenant,
    project: owner.project,
    allocationId: owner.allocationId,
    nodeId: facts.node?.nodeId ?? facts.nodeId,
    store,
    paths: pathsOf(facts),
    reason: facts.reason,
  };
}

const isAudited = (activityType: string): activityType is keyof typeof auditedActivities => Object.hasOwn(auditedActivities, activityType);

function pathsOf({ source, target, manifest, mounts = [], names = [], ...facts }: z.output<typeof InputSchema>): string[] {
  const { tenant, project, allocationId, checkpointId } = facts;
  const retainUntil = facts.retainUntil ?? facts.retention?.retainUntil;
  const places = [source, target].flatMap((place) => (place ? [`${place.store}:s3://${place.bucket}/${place.prefix}`] : []));
  return [
    ...places,
    ...(manifest ? [`manifest ${manifest.store}:s3://${manifest.bucket}/${manifest.prefix}`] : []),
    ...mounts.map((mount) => mount.source),
    ...(checkpointId === undefined ? [] : [`s3://${tenant}/${project}/${allocationId}/checkpoints/${checkpointId}/`]),
    ...[facts.path, facts.prefix].flatMap((path) => (path === undefined ? [] : [path])),
    ...(facts.to === undefined ? [] : [`replica ${facts.to}`]),
    ...(facts.rackId === undefined ? [] : [`rack ${facts.rackId}`]),
    ...(retainUntil === undefined ? [] : [`until ${retainUntil}`]),
    ...names,
  ];
}
