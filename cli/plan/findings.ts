/** What the stores' answers mean for an allocation: refusals that end it, and waits that end by themselves. Pure. */
import type { ResolvedMount } from '../../model/data-declaration.ts';
import { formatBandwidth, formatBytes } from '../../model/quantity.ts';
import type { Finding } from './dry-run.ts';
import type { MountFacts, Survey } from './survey.ts';

export function sourceRefusals(mounts: readonly ResolvedMount[], survey: Survey): Finding[] {
  const absent = mounts.flatMap((mount, index): Finding[] => {
    if (mount.scheme === 'nfs' || survey.mounts[index]?.store) return [];
    return [
      {
        type: 'NotFound',
        message: `data.mounts[${index}].source: found ${mount.source}, which holds nothing; accepted: a prefix with objects on the warm or cold tier.`,
      },
    ];
  });
  const needed = sum(mounts.map((mount, index) => missingBytes(mount, survey.mounts[index])));
  const { capacityBytes } = survey.capacity;
  if (needed <= capacityBytes) return absent;
  return [
    ...absent,
    {
      type: 'PolicyRefused',
      message: `the data needs ${formatBytes(needed)}, the whole hot tier has ${formatBytes(capacityBytes)}. Mount less, or read part of it in place with tier_hint: warm.`,
    },
  ];
}

export function waits(mounts: readonly ResolvedMount[], { mounts: facts, capacity }: Survey): Finding[] {
  const free = capacity.capacityBytes - capacity.usedBytes - capacity.reservedBytes;
  const needed = sum(mounts.map((mount, index) => missingBytes(mount, facts[index])));
  const floors = sum(mounts.map((mount) => mount.floorBytesPerSecond));
  const bandwidth = capacity.readBytesPerSecond + capacity.writeBytesPerSecond - capacity.floorsBytesPerSecond;
  return [
    ...(needed > free
      ? [{ type: 'HOT_TIER_FULL', message: `staging needs ${formatBytes(needed)}, ${formatBytes(Math.max(0, free))} are free now beside what can be evicted.` }]
      : []),
    ...(floors > bandwidth
      ? [
          {
            type: 'FloorUnavailable',
            message: `floors of ${formatBandwidth(floors)} are asked for, ${formatBandwidth(Math.max(0, bandwidth))} are free now; a start would be refused until others give theirs back.`,
          },
        ]
      : []),
  ];
}

/** What staging has to bring; data read in place needs no room. */
export function missingBytes(mount: ResolvedMount, facts: MountFacts | undefined): number {
  if (!facts || mount.tierHint === 'warm') return 0;
  if (mount.scheme === 'nfs') return facts.hot.remoteBytes;
  return Math.max(0, facts.bytes - facts.hot.hotBytes);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
