/** Objects that are lost for good, as people read them. */
import type { GivenUp, GivenUpObjects, Loss } from '../../model/given-up.ts';
import { formatBytes } from '../../model/quantity.ts';
import { escapeLine } from '../output/escape.ts';
import { renderFacts } from '../output/table.ts';

export function lossText({ key, bytes, createdAt, soundShards, lostShards }: Loss): string {
  const facts = renderFacts([
    ['object', key],
    ['lost', `${formatBytes(bytes)}, written ${createdAt}`],
    ['shards', `${soundShards} are sound, and 14 are needed`],
  ]);
  const lines = lostShards.map(({ index, rack, state, why }) =>
    escapeLine(`shard ${index} on ${rack ?? 'no rack'} is ${state}${why === undefined ? '' : `: ${why}`}`),
  );
  return [facts, lines.join('\n')].join('\n\n');
}

export function givenUpText(record: GivenUp, droppedRepairs: number): string {
  const facts = renderFacts([
    ['given up', lineOf(record)],
    ['repairs', droppedRepairs > 0 ? 'it is not due any more' : 'it was not due'],
  ]);
  return [facts, lossText(record)].join('\n\n');
}

export function givenUpBlock({ objects, records }: GivenUpObjects): string {
  const title = `given up, ${objects} ${objects === 1 ? 'object' : 'objects'}${objects > records.length ? `, ${records.length} of them` : ''}:`;
  return [title, ...records.map(lineOf)].join('\n');
}

const lineOf = ({ key, givenUpAt, by, reason }: GivenUp): string => escapeLine(`${key}: on ${givenUpAt} by ${by}: ${reason}`);
