/** Staging: survey, room and pin, then the bytes that are missing. */
import { mountRecordKey } from '../../activities/last-mounted.ts';
import { hotPath } from '../../activities/places.ts';
import type { ResolvedMount } from '../../model/data-declaration.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import { SYSTEM_BUCKET } from '../../model/location.ts';
import { formatBandwidth, formatSeconds } from '../../model/quantity.ts';
import type { PlanStep } from './dry-run.ts';
import { missingBytes } from './findings.ts';
import { stepIn } from './step.ts';
import type { PlanInput } from './steps.ts';
import type { MountFacts } from './survey.ts';

const step = stepIn('staging');

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
    step('call', 'hot.capacity', 'hot', 'refused where the data is larger than the whole tier'),
    ...[...staged, ...recalled].map((each) => ({ ...step('call', 'hot.reserve', pathOf(each), pin), ...sized(each) })),
    step('call', 'hot.renewReservations', owner, pin),
    ...staged.map((each) => ({
      ...step(
        'move',
        `${each.facts?.store ?? 'warm or cold'} -> hot`,
        `${each.mount.source} -> ${pathOf(each)}`,
        `at most ${limit} for all staging together; what is hot already is skipped`,
      ),
      ...sized(each),
    })),
    ...recalled.map((each) => ({ ...step('call', 'hot.prefetch', pathOf(each), `at most ${limit}`), ...sized(each) })),
  ];
}

function surveySteps({ mount, facts }: Surveyed, key: { tenant: string; project: string; allocationId: string }): PlanStep[] {
  if (mount.scheme === 'nfs') return [step('call', 'hot.locate', pathOf({ mount }))];
  const place = { bucket: mount.bucket, prefix: mount.prefix === '' ? '' : `${mount.prefix}/` };
  const remembered = [
    step('call', 'warm.ensureBucket', SYSTEM_BUCKET),
    step('call', 'warm.writeBytes', `s3://${SYSTEM_BUCKET}/${mountRecordKey(place)}`, 'that it was used now: the demotion rules go by it'),
  ];
  const size = facts?.store ? { files: facts.files, bytes: facts.bytes } : {};
  const lists: PlanStep[] =
    facts?.store === 'warm'
      ? [{ ...step('call', 'warm.list', mount.source), ...size }]
      : [
          step('call', 'warm.list', mount.source),
          { ...step('call', 'cold.list', mount.source, facts ? undefined : 'where the warm tier has nothing'), ...size },
        ];
  if (mount.tierHint === 'warm') return [...remembered, ...lists];
  return [
    ...remembered,
    ...lists,
    step(
      'call',
      'warm.writeBytes',
      `s3://${SYSTEM_BUCKET}/manifests/${key.tenant}/${key.project}/${key.allocationId}/`,
      'the manifest: every file with size and etag, in pages',
    ),
    step('call', 'hot.locate', pathOf({ mount })),
  ];
}

const pathOf = ({ mount }: Pick<Surveyed, 'mount'>): string => hotPath(mount.bucket, mount.prefix);

function sized({ mount, facts }: Surveyed): Pick<PlanStep, 'files' | 'bytes'> {
  if (!facts) return {};
  const files = mount.scheme === 'nfs' ? facts.hot.remoteFiles : Math.max(0, facts.files - facts.hot.hotFiles);
  return { files, bytes: missingBytes(mount, facts) };
}
