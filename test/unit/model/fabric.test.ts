import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { fabricOfRack, refineFabrics, SiteFabricSchema } from '../../../model/fabric.ts';
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
