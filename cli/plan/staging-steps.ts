/** Staging: survey, room and pin, then the bytes that are missing. */
import { mountRecordKey } from '../../activities/last-mounted.ts';
import { hotPath } from '../../activities/places.ts';
import type { ResolvedMount } from '../../model/data-declaration.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import { SYSTEM_BUCKET } from '../../model/location.ts';
import { formatBandwidth, formatSeconds } from '../../model/quantity.ts';
import type { PlanStep } from './dry-run.ts';
import { missingBytes } from './findings.ts';
import type { PlanInput } from './steps.ts';
import type { MountFacts } from './survey.ts';

interface Surveyed {
  readonly mount: ResolvedMount;
  readonly facts: MountFacts | undefined;
}

export function stagingSteps({ request, plan, site, survey }: PlanInput): PlanStep[] {
  const mounts = plan.data.mounts.map((mount, index): Surveyed => ({ mount, facts: survey?.mounts[index] }));
  const grace = formatSeconds(plan.policies.leaseGraceSeconds);
  const pin = `pinned until ${request.expectedStart ? `the expected start ${request.expectedStart}` : 'a day from then'} and ${grace} more`;
  const owner = allocationWorkflowId(request);
  const staged = mounts.filter(({ mount }) => mount.tierHint === 'hot' && mount.scheme === 's3');
  // Home directories are only recalled where part of them is at the hot tier's origin.
  const recalled = mounts.filter(({ mount, facts }) => mount.scheme === 'nfs' && facts !== undefined && facts.hot.remoteFiles > 0);
  const limit = formatBandwidth(Math.floor(site.stores.hot.bandwidth.write * site.policies.stagingShare));
  return [
    ...mounts.flatMap((each) => surveySteps(each, request)),
    call('hot.capacity', 'hot', 'refused where the data is larger than the whole tier'),
    ...[...staged, ...recalled].map((each) => ({ ...call('hot.reserve', pathOf(each), pin), ...sized(each) })),
    call('hot.renewReservations', owner, pin),
    ...staged.map(
      (each): PlanStep => ({
        phase: 'staging',
        kind: 'move',
        action: `${each.facts?.store ?? 'warm or cold'} -> hot`,
        subject: `${each.mount.source} -> ${pathOf(each)}`,
        detail: `at most ${limit} for all staging together; what is hot already is skipped`,
        ...sized(each),
      }),
    ),
    ...recalled.map((each) => ({ ...call('hot.prefetch', pathOf(each), `at most ${limit}`), ...sized(each) })),
  ];
}

function surveySteps({ mount, facts }: Surveyed, key: { tenant: string; project: string; allocationId: string }): PlanStep[] {
  if (mount.scheme === 'nfs') return [call('hot.locate', pathOf({ mount }))];
  const place = { bucket: mount.bucket, prefix: mount.prefix === '' ? '' : `${mount.prefix}/` };
  const remembered = [
    call('warm.ensureBucket', SYSTEM_BUCKET),
    call('warm.writeBytes', `s3://${SYSTEM_BUCKET}/${mountRecordKey(place)}`, 'that it was used now: the demotion rules go by it'),
  ];
  const size = facts?.store ? { files: facts.files, bytes: facts.bytes } : {};
  const lists: PlanStep[] =
    facts?.store === 'warm'
      ? [{ ...call('warm.list', mount.source), ...size }]
      : [call('warm.list', mount.source), { ...call('cold.list', mount.source, facts ? undefined : 'where the warm tier has nothing'), ...size }];
  if (mount.tierHint === 'warm') return [...remembered, ...lists];
  return [
    ...remembered,
    ...lists,
    call(
      'warm.writeBytes',
      `s3://${SYSTEM_BUCKET}/manifests/${key.tenant}/${key.project}/${key.allocationId}/`,
      'the manifest: every file with size and etag, in pages',
    ),
    call('hot.locate', pathOf({ mount })),
  ];
}

const call = (action: string, subject: string, detail?: string): PlanStep => ({
  phase: 'staging',
  kind: 'call',
  action,
  subject,
  ...(detail === undefined ? {} : { detail }),
});
const pathOf = ({ mount }: Pick<Surveyed, 'mount'>): string => hotPath(mount.bucket, mount.prefix);

function sized({ mount, facts }: Surveyed): Pick<PlanStep, 'files' | 'bytes'> {
  if (!facts) return {};
  const files = mount.scheme === 'nfs' ? facts.hot.remoteFiles : Math.max(0, facts.files - facts.hot.hotFiles);
  return { files, bytes: missingBytes(mount, facts) };
}
