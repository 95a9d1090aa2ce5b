/** Admission: the declaration against the site's rules, and what can never be granted refused at once. */
import type { Stores } from '../drivers/open-site.ts';
import type { AllocationRequest } from '../model/allocation.ts';
import { type CheckpointTerms, refusedTerms } from '../model/checkpoint-retention.ts';
import { resolveDataDeclaration } from '../model/data-declaration.ts';
import { absent, PenstockError } from '../model/errors.ts';
import { formatIssues, type InputIssue } from '../model/issues.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { OUTPUT_RECORD } from '../model/output-record.ts';
import type { AllocationPlan } from '../model/plan.ts';
import { archiveLock } from '../model/retention.ts';
import type { Site } from '../model/site.ts';
import { recordTerms } from './checkpoint-terms.ts';
import { effect } from './effect.ts';
import { createLockProof } from './lock-proof.ts';

export type AdmissionActivities = ReturnType<typeof createAdmissionActivities>;

export function createAdmissionActivities(stores: Stores) {
  const lockProof = createLockProof(stores);
  return {
    admit: (request: AllocationRequest): Promise<AllocationPlan> =>
      effect(async () => {
        const plan = planAllocation(request, stores.site, new Date());
        await refuseSecondOutput(stores, request.tenant, plan.data.outputPrefix);
        await lockProof.demand(archiveLock(plan.policies, request.retention ?? {}, Date.now()).mode);
        await recordTerms(stores, request, request.checkpoints);
        return plan;
      }),
  };
}

/** Pure; the dry run uses it too. @throws PenstockError InvalidInput with every refusal in its message */
export function planAllocation(request: AllocationRequest, site: Site, now: Date): AllocationPlan {
  const { sharedBuckets, ...policies } = site.policies;
  const resolved = resolveDataDeclaration(request, request.data, { sharedBuckets });
  const issues: InputIssue[] = [
    ...(resolved.ok ? impossibleFloors(resolved.value.mounts, site) : resolved.issues),
    ...pastRetention(request, now),
    ...unknownFeatures(request, site),
    ...reservedTenant(request, site),
    ...refusedTerms(request.checkpoints ?? {}, site.checkpoints),
  ];
  if (!resolved.ok || issues.length > 0) throw new PenstockError('InvalidInput', formatIssues(issues));
  return {
    data: resolved.value,
    policies: {
      readyThreshold: policies.readyThreshold,
      leaseGraceSeconds: policies.leaseGraceSeconds,
      snapshotHours: policies.snapshotHours,
      archiveRetentionDays: policies.archiveRetentionDays,
      attestDays: policies.attestDays,
      retention: policies.retention,
      deadlines: policies.deadlines,
      heartbeatSeconds: policies.heartbeatSeconds,
      eventsPerRun: policies.eventsPerRun,
    },
    ...archiveClass(site),
    ...checkpointCopies(site),
    checkpoints: checkpointRetention(site, request.checkpoints),
    ...(site.logs.follow ? { followLogs: true } : {}),
  };
}

function archiveClass({ stores: { cold } }: Site): Pick<AllocationPlan, 'archive'> {
  return cold.archive ? { archive: cold.archive.storageClass } : {};
}

function checkpointRetention({ checkpoints: { supersede, ...site } }: Site, own: CheckpointTerms = {}): NonNullable<AllocationPlan['checkpoints']> {
  const keepEvery = own.keepEvery ?? site.keepEvery;
  return { keepDays: own.keepDays ?? site.keepDays, supersede, ...(keepEvery === undefined ? {} : { keepEvery }) };
}

function checkpointCopies({ erasureSet }: Site): Pick<AllocationPlan, 'checkpointCopies'> {
  const wanted = Object.entries(erasureSet.replicas).filter(([, replica]) => replica.checkpoints);
  return wanted.length === 0 ? {} : { checkpointCopies: wanted.map(([name]) => name) };
}

/** An allocation that failed may be tried again under its id, unless it has published: two outputs under one name would be neither. */
async function refuseSecondOutput(stores: Stores, tenant: string, outputPrefix: string): Promise<void> {
  for (const store of [stores.warm, stores.cold]) {
    const record = await store.head(tenant, `${outputPrefix}${OUTPUT_RECORD}`).catch(absent); // no such bucket yet
    if (record)
      throw new PenstockError('Conflict', `s3://${tenant}/${outputPrefix} holds a published output already.`, {
        store: store.name,
        nextStep: 'Submit under another allocationId.',
      });
  }
}

/** Buckets that belong to the site: a tenant of that name would own them. */
function reservedTenant({ tenant }: AllocationRequest, site: Site): InputIssue[] {
  const racks = site.erasureSet.racks.map((rack) => rack.bucket);
  const log = site.audit ? [site.audit.bucket] : [];
  const reserved = ['home', 'scratch', SYSTEM_BUCKET, 'penstock-doctor', ...log, ...site.policies.sharedBuckets, ...racks];
  return reserved.includes(tenant)
    ? [{ path: 'tenant', found: JSON.stringify(tenant), expected: "another name; this one is one of the site's own buckets" }]
    : [];
}

/** Floors above the whole tier would wait for ever. */
function impossibleFloors(mounts: AllocationPlan['data']['mounts'], site: Site): InputIssue[] {
  const limits = site.stores.hot.bandwidth;
  return (['read-only', 'read-write'] as const).flatMap((access) => {
    const limit = access === 'read-only' ? limits.read : limits.write;
    const floors = mounts.filter((mount) => mount.access === access).reduce((sum, mount) => sum + mount.floorBytesPerSecond, 0);
    if (floors <= limit) return [];
    return [
      {
        path: 'data.mounts',
        found: `${access} bandwidth floors of ${floors} bytes per second`,
        expected: `at most ${limit} bytes per second in all, what the hot tier can do`,
      },
    ];
  });
}

/** A feature that no node has would keep the job waiting for nodes that do not come. */
function unknownFeatures(request: AllocationRequest, site: Site): InputIssue[] {
  const known = new Set(site.nodes.flatMap((node) => node.features));
  return request.requiredFeatures.flatMap((feature, index) =>
    known.has(feature)
      ? []
      : [
          {
            path: `requiredFeatures[${index}]`,
            found: JSON.stringify(feature),
            expected: `a feature that a node of this site has: ${[...known].sort().join(', ') || 'none has any'}`,
          },
        ],
  );
}

function pastRetention(request: AllocationRequest, now: Date): InputIssue[] {
  const { retention } = request;
  if (!retention || Date.parse(retention.retainUntil) > now.getTime()) return [];
  return [{ path: 'retention.retainUntil', found: retention.retainUntil, expected: 'an instant in the future' }];
}
