import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { rackTargetPath } from '../../../model/commit-path.ts';
import { formatIssues, parseInput } from '../../../model/issues.ts';
import { type Site, SiteSchema } from '../../../model/site.ts';

const TARGETS = [
  { id: 'bf3-1', kind: 'nvme-of', rackId: 'r01', path: '/mnt/nvmeof/r01' },
  { id: 'bf3-6', kind: 'nvme-of', rackId: 'r06', path: '/mnt/nvmeof/r06' },
  { id: 'big-array', kind: 'array', path: '/mnt/array' },
];

/** The embedded site, its first node changed. */
async function site(node: Record<string, unknown>, targets: readonly Record<string, unknown>[] = TARGETS): Promise<Site | string> {
  const text = await readFile('temporal-dev.yaml', 'utf8');
  const input: unknown = parse(text);
  assert.ok(typeof input === 'object' && input !== null && 'nodes' in input && Array.isArray(input.nodes));
  const [first, ...others]: unknown[] = input.nodes;
  assert.ok(typeof first === 'object');
  const parsed = parseInput(SiteSchema, { ...input, checkpoints: { targets }, nodes: [{ ...first, ...node }, ...others] });
  return parsed.ok ? parsed.value : formatIssues(parsed.issues);
}

describe('the commit path of a site', () => {
  it('is strict, 8 chunks deep, and in the directory of the rack where nothing is said', async () => {
    const plain = await site({}, []);
    assert.ok(typeof plain !== 'string');
    assert.partialDeepStrictEqual(plain.checkpoints, { policy: 'strict', depth: 8, stallSeconds: 60, leastRate: 1_000_000_000, targets: [] });
    assert.equal(rackTargetPath(plain, 'n001'), undefined);
  });

  it('takes a target of the node’s own rack', async () => {
    const own = await site({ rackTarget: 'bf3-1' });
    assert.ok(typeof own !== 'string');
    assert.equal(rackTargetPath(own, 'n001'), '/mnt/nvmeof/r01');
  });

  it('refuses an off-rack array, another rack’s target and an unknown one, with field, value and what is accepted', async () => {
    const refusals = {
      'big-array': /^nodes\[0\]\.rackTarget: .*"big-array".*no off-rack array.*put it behind the global tier.*rack r01 \(bf3-1\)/s,
      'bf3-6': /rackTarget: .*"bf3-6".*no target of rack r06, but an nvme-of target in the node's own rack r01 \(bf3-1\)/s,
      unknown: /rackTarget: .*"unknown".*an nvme-of target in the node's own rack r01 \(bf3-1\)/s,
    };
    for (const [rackTarget, expected] of Object.entries(refusals)) {
      const refused = await site({ rackTarget });
      assert.ok(typeof refused === 'string');
      assert.match(refused, expected);
    }
  });

  it('refuses a ring that is too small or that two nodes share, and a target without its rack', async () => {
    assert.match(String(await site({ ring: { path: 'rings/n001', size: '1MiB' } })), /ring\.size: .*"32MiB" or more/);
    assert.match(String(await site({ ring: { path: 'rings/n002', size: '256MiB' } })), /ring\.path: .*a ring of its own; this one is that of n001/);
    assert.match(String(await site({}, [{ id: 'bf3-1', kind: 'nvme-of', path: '/mnt/a' }])), /targets.*rackId: .*the rack that this nvme-of target stands in/);
  });
});
