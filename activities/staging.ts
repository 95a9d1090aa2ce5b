/** Staging before the bytes move: what there is, where it is, space for it, and a pin against eviction. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Stores } from '../drivers/open-site.ts';
import { classBudget } from '../model/broker-state.ts';
import type { ResolvedMount } from '../model/data-declaration.ts';
import { absent, isType, PenstockError } from '../model/errors.ts';
import { brokered, fabricThat } from '../model/fabric.ts';
import { type AllocationKey, allocationWorkflowId } from '../model/identifiers.ts';
import type { Location } from '../model/location.ts';
import { formatBytes } from '../model/quantity.ts';
import type { Site } from '../model/site.ts';
import type { Survey, SurveyedMount } from '../model/transfer.ts';
import { effect, type Run } from './effect.ts';
import { evictStaged } from './eviction.ts';
import { listIntoManifest } from './manifests.ts';
import { endpointAt, hotPath } from './places.ts';
import { beforeMount } from './recall-colder.ts';
import { tellAllocation } from './reports.ts';
import { withinStageWindow } from './windows.ts';

const SPACE_POLL_MS = 5000;
const RECALL_POLL_MS = 500;

export interface SurveyRequest extends AllocationKey {
  readonly mounts: readonly ResolvedMount[];
  readonly allocation: string;
}
export interface ReserveRequest extends AllocationKey {
  readonly survey: Survey;
  readonly pinnedUntil: string;
  readonly allocation: string;
}
export interface RecallRequest extends AllocationKey {
  readonly mountIndex: number;
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  readonly allocation: string;
}

export type StagingActivities = ReturnType<typeof createStagingActivities>;

export function createStagingActivities(stores: Stores) {
  return {
    /** Lists every source into a manifest and asks the catalog how much of it is hot already. */
    survey: (request: SurveyRequest): Promise<Survey> =>
      effect(async (run) => {
        const mounts: SurveyedMount[] = [];
        const recalls: Survey['recalls'][number][] = [];
        for (const [mountIndex, mount] of request.mounts.entries()) {
          if (mount.scheme === 's3') await beforeMount(stores, mount, request.allocation, run);
          if (mount.tierHint !== 'hot') await locateSource(stores, mount, mountIndex);
          else if (mount.scheme === 's3') mounts.push(await surveyMount(stores, request, mount, mountIndex, run));
          else {
            const local = await stores.hot.locate(hotPath(mount.bucket, mount.prefix));
            if (local.remoteFiles > 0) recalls.push({ mountIndex, path: local.path, files: local.remoteFiles, bytes: local.remoteBytes });
          }
        }
        await tellAllocation(request.allocation, { mounts: surveyedProgress({ mounts, recalls }) });
        return { mounts, recalls };
      }),

    /** Waits, for days if need be, until the hot tier has room; tells the allocation once why it waits. */
    reserveHot: (request: ReserveRequest): Promise<{ pinnedUntil: string }> =>
      effect(async (run) => {
        const { hot } = stores;
        const owner = allocationWorkflowId(request);
        // A later round asks for other bytes or another time, and is another reservation.
        const keyFor = (what: string, bytes: number) => `${owner}#${what}-${bytes}-${request.pinnedUntil}`;
        // Waiting for space may outlast the time that was asked for: the pin then lasts a grace from now.
        const pinnedUntil = () => laterOf(request.pinnedUntil, Date.now() + stores.site.policies.leaseGraceSeconds * 1000);
        const wanted = [
          ...request.survey.mounts.map((mount) => ({
            key: keyFor(`stage-${mount.mountIndex}`, mount.manifest.bytes - mount.hotBytes),
            path: hotPath(mount.target.bucket, mount.target.prefix),
            bytes: mount.manifest.bytes - mount.hotBytes,
          })),
          ...request.survey.recalls.map((recall) => ({ key: keyFor(`recall-${recall.mountIndex}`, recall.bytes), path: recall.path, bytes: recall.bytes })),
        ];
        await refuseImpossible(
          stores,
          wanted.reduce((sum, each) => sum + each.bytes, 0),
        );
        let told = false;
        for (const each of wanted) {
          for (;;) {
            try {
              await hot.reserve({ owner, ...each, expiresAt: pinnedUntil() });
              break;
            } catch (error) {
              if (!isType(error, 'OutOfSpace')) throw error;
              if ((await evictStaged(stores, each.bytes, run)) > 0) continue;
              if (!told)
                await tellAllocation(request.allocation, {
                  state: 'stalled',
                  reason: { code: 'HOT_TIER_FULL', message: `${error.message} It goes on by itself when others give space back.` },
                });
              told = true;
              run.report({ waitingFor: each.path, bytes: each.bytes });
              await delay(SPACE_POLL_MS, undefined, { signal: run.signal });
            }
          }
        }
        const pin = pinnedUntil();
        await hot.renewReservations(owner, pin);
        await tellAllocation(request.allocation, { state: 'staging' });
        return { pinnedUntil: pin };
      }),

    renewPins: (request: AllocationKey & { pinnedUntil: string }): Promise<void> =>
      effect(() => stores.hot.renewReservations(allocationWorkflowId(request), request.pinnedUntil)),

    /** Has the tier bring back what it keeps at its remote origin, within staging's share of the bandwidth. */
    recall: (request: RecallRequest): Promise<void> =>
      effect(async (run) => {
        const owner = allocationWorkflowId(request);
        const bytesPerSecond = recallRate(stores.site);
        // The tier keeps to one rate from beginning to end: so that is what is asked for, no less and no more.
        const oneRate = { leastUsefulRate: bytesPerSecond, mostUsefulRate: bytesPerSecond };
        await withinStageWindow(stores.site, { tenant: request.tenant, bytes: request.bytes, ...oneRate, stores: ['hot'] }, run, async () => {
          const job = await stores.hot.prefetch({
            owner,
            key: `${owner}#recall-${request.mountIndex}-${request.files}-${request.bytes}`,
            path: request.path,
            bytesPerSecond,
          });
          let latest = job;
          while (latest.state === 'running') {
            run.report({ path: request.path, doneFiles: latest.doneFiles, doneBytes: latest.doneBytes });
            await delay(RECALL_POLL_MS, undefined, { signal: run.signal });
            latest = await stores.hot.prefetchJob(job.jobId);
          }
          if (latest.state === 'failed')
            throw new PenstockError('IoError', `recall of ${request.path} failed: ${latest.error ?? 'no reason given'}.`, {
              store: stores.hot.name,
              nextStep: 'It is tried again.',
            });
        });
      }),
  };
}

/** Where staging has a fabric, a quarter of what its class may hold: others stage beside it. */
function recallRate({ stores: { hot }, policies, fabrics }: Site): number {
  const rate = Math.floor(hot.bandwidth.write * policies.stagingShare);
  const fabric = fabrics[fabricThat(fabrics, 'stages') ?? ''];
  return fabric ? Math.max(1, Math.min(rate, Math.floor(classBudget(brokered(fabric, rate), 'stage') / 4))) : rate;
}

const laterOf = (instant: string, otherMs: number): string => new Date(Math.max(Date.parse(instant), otherMs)).toISOString();

async function surveyMount(stores: Stores, request: SurveyRequest, mount: ResolvedMount, mountIndex: number, run: Run): Promise<SurveyedMount> {
  const source = await locateSource(stores, mount, mountIndex);
  const target: Location = { store: 'hot', bucket: source.bucket, prefix: source.prefix };
  const manifest = await listIntoManifest(
    stores,
    `${request.tenant}/${request.project}/${request.allocationId}/mount-${mountIndex}`,
    endpointAt(stores, source),
    run,
  );
  const local = await stores.hot.locate(hotPath(target.bucket, target.prefix));
  return {
    mountIndex,
    source,
    target,
    manifest,
    hotBytes: Math.min(local.hotBytes, manifest.bytes),
  };
}

/** Warm before cold: the nearer copy is the cheaper one. */
async function locateSource(stores: Stores, mount: ResolvedMount, mountIndex: number): Promise<Location> {
  const prefix = mount.prefix === '' ? '' : `${mount.prefix}/`;
  for (const store of ['warm', 'cold'] as const) {
    const objects = store === 'warm' ? stores.warm : stores.cold;
    if (await exists(() => objects.list(mount.bucket, prefix, { limit: 1 }))) return { store, bucket: mount.bucket, prefix };
  }
  throw new PenstockError(
    'NotFound',
    `data.mounts[${mountIndex}].source: found ${mount.source}, which holds nothing; accepted: a prefix with objects on the warm or cold tier.`,
    { nextStep: 'Check the spelling, or upload the data first.' },
  );
}

async function exists(list: () => Promise<{ entries: readonly unknown[] }>): Promise<boolean> {
  return ((await list().catch(absent))?.entries.length ?? 0) > 0;
}

async function refuseImpossible(stores: Stores, bytes: number): Promise<void> {
  const { capacityBytes } = await stores.hot.capacity();
  if (bytes > capacityBytes) {
    throw new PenstockError('PolicyRefused', `the data needs ${formatBytes(bytes)}, the whole tier has ${formatBytes(capacityBytes)}.`, {
      store: stores.hot.name,
      nextStep: 'Mount less, or read part of it in place with tier_hint: warm.',
    });
  }
}

function surveyedProgress(survey: Survey) {
  return [
    ...survey.mounts.map(({ mountIndex, manifest }) => ({
      mountIndex,
      // What lies there already is not counted before it has been compared: it may be another version.
      progress: { files: manifest.files, bytes: manifest.bytes, doneFiles: 0, doneBytes: 0, bytesPerSecond: 0 },
    })),
    ...survey.recalls.map(({ mountIndex, files, bytes }) => ({ mountIndex, progress: { files, bytes, doneFiles: 0, doneBytes: 0, bytesPerSecond: 0 } })),
  ];
}
