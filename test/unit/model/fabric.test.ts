import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { stageCapacity } from '../../../model/broker-state.ts';
import { brokered, fabricOfRack, refineFabrics, SiteFabricSchema } from '../../../model/fabric.ts';
import { formatIssues, parseInput } from '../../../model/issues.ts';

const FabricsSchema = z.strictObject({ fabrics: z.record(z.string(), SiteFabricSchema) }).superRefine(refineFabrics);

test('a rack drains over the fabric that names it, and over none where none does', () => {
  const { fabrics } = FabricsSchema.parse({ fabrics: { east: { capacity: '1TB/s', drains: ['r01'] }, west: { capacity: '1TB/s', drains: ['r02'] } } });
  assert.deepEqual([fabricOfRack(fabrics, 'r02'), fabricOfRack(fabrics, 'r03')], ['west', undefined]);
});

test('a rack that two fabrics name is refused, and so is a fabric that carries nothing', () => {
  const parsed = parseInput(FabricsSchema, { fabrics: { east: { capacity: '1TB/s', drains: ['r01'] }, west: { capacity: '1TB/s', drains: ['r02', 'r01'] } } });
  assert.equal(
    !parsed.ok && formatIssues(parsed.issues),
    'fabrics.west.drains[1]: found "r01"; accepted: a rack that drains over one fabric; east has this one',
  );
  const empty = parseInput(FabricsSchema, { fabrics: { east: { capacity: 0 } } });
  assert.match(empty.ok ? '' : formatIssues(empty.issues), /fabrics\.east\.capacity: found 0; accepted: more than 0 bytes per second/);
});

test('what moves has one fabric: two that stage, or commit for one rack, are refused', () => {
  const parsed = parseInput(FabricsSchema, {
    fabrics: { east: { capacity: '1TB/s', stages: true, commits: ['r01'] }, west: { capacity: '1TB/s', stages: true, commits: ['r01'] } },
  });
  assert.equal(
    !parsed.ok && formatIssues(parsed.issues),
    'fabrics.west.commits[0]: found "r01"; accepted: a rack that commits over one fabric; east has this one\nfabrics.west.stages: found true; accepted: true for one fabric; east has this one',
  );
});

test('who stages over a fabric has staging’s part of the hot tier, or of the fabric where that is less', () => {
  const most = (fabric: z.input<typeof SiteFabricSchema>) => stageCapacity(brokered(SiteFabricSchema.parse(fabric), 30_000_000_000));
  assert.equal(most({ capacity: '1TB/s', stages: true }), 30_000_000_000);
  assert.equal(most({ capacity: '1GB/s', stages: true }), 300_000_000);
  assert.equal(most({ capacity: '1TB/s' }), 300_000_000_000, 'it has no say in what others move');
});
