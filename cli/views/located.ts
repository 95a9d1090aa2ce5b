import type { LocatedManifest, LocatedObject } from '../../model/located-object.ts';
import { formatBytes } from '../../model/quantity.ts';
import { renderFacts, renderTable } from '../output/table.ts';

export function locatedText(object: LocatedObject): string {
  const { manifests, shards, margin, memberContent } = object;
  const facts = renderFacts([
    ['file', object.member],
    [object.member === undefined ? 'object' : 'in the pack', object.key],
    ['content', memberContent && `${formatBytes(memberContent.bytes)} (${memberContent.bytes} bytes), CRC32C ${memberContent.crc32c}`],
    [memberContent ? 'of the pack' : 'content', `${formatBytes(object.bytes)} (${object.bytes} bytes), SHA-256 ${object.sha256}`],
    ['written', `${object.createdAt}, write ${object.writeId}`],
    ['generation', object.generation === 1 ? '1, as written' : `${object.generation}, repaired`],
    [
      'shards',
      `${object.stripes} ${object.stripes === 1 ? 'cell' : 'cells'} of ${formatBytes(object.cellBytes)}, ${formatBytes(object.shardBytes)} on each rack`,
    ],
    ['manifest', manifestsText(manifests)],
    [
      'margin',
      margin < 0
        ? `${margin}: it cannot be read now, by names and sizes`
        : `${margin}: so many more racks may be lost, by names and sizes; content is read by scrub`,
    ],
  ]);
  const table = renderTable(
    ['shard', 'rack', 'room', 'state', ''],
    shards.map(({ index, rack = '-', room = '-', state, note = '' }) => [`${index}${index < 14 ? '' : ' parity'}`, rack, room, state, note]),
  );
  return `${facts}\n\n${table}`;
}

/** That make a commit, as docs/formats/erasure.md says. */
const COPIES = 5;

function manifestsText(manifests: readonly LocatedManifest[]): string {
  const held = manifests.filter(({ state }) => state === 'present').map(({ rack }) => rack);
  const wrong = manifests.filter(({ state }) => state !== 'present' && state !== 'absent').map(({ rack, state }) => `${rack} ${state}`);
  return [`${held.length} of ${COPIES} copies: ${held.join(', ')}`, ...wrong].join('; ');
}
