/** Networks whose bandwidth is granted by a broker: what they carry, and for whom. */
import * as z from 'zod';
import { IdentifierSchema } from './identifiers.ts';
import { SomeBandwidthSchema } from './quantity.ts';

export const FabricNameSchema = IdentifierSchema.describe('The name of a fabric in the site file');

/** They go from one run of the broker to the next in one event of 2 MB: 900 bytes each at most. */
export const MOST_RESERVATIONS = 1500;

const WeightSchema = z.number().positive().max(1000);

export const FabricSchema = z.strictObject({
  capacity: SomeBandwidthSchema.describe('What may be sent over it in all'),
  weights: z
    .strictObject({
      inference: WeightSchema.default(16).describe('Of traffic that answers people'),
      checkpoint: WeightSchema.default(8).describe('Of checkpoints that a job waits for'),
      drain: WeightSchema.default(4).describe('Of checkpoints on their way to the erasure set'),
      stage: WeightSchema.default(2).describe('Of data sets on their way to the hot tier'),
      scrub: WeightSchema.default(1).describe('Of reading again what is stored'),
    })
    .prefault({})
    .describe('How the classes share it where all of them want more than there is'),
  stagingShare: z.number().gt(0).max(1).default(0.3).describe('Part of the capacity that the class stage gets at most, however idle the rest is'),
  leaseSeconds: z.int().min(2).max(600).default(60).describe('Who has not renewed for so long has stopped sending, and loses its place'),
  mostReservations: z
    .int()
    .min(1)
    .max(MOST_RESERVATIONS)
    .default(MOST_RESERVATIONS)
    .describe('Waiting and held together; past it, requests are refused. One tenant has at most half'),
});
/** What its broker has to know. */
export type FabricConfig = z.output<typeof FabricSchema>;

export const SiteFabricSchema = FabricSchema.extend({
  drains: z.array(IdentifierSchema).default([]).describe('Racks whose checkpoints drain over it, within its windows'),
  commits: z.array(IdentifierSchema).default([]).describe('Racks whose nodes write their checkpoints over it, within its windows (`checkpoints.leastRate`)'),
  stages: z
    .boolean()
    .default(false)
    .describe(
      "Data sets are staged and recalled over it, and checkpoints restored, within its windows: data sets all together at most `policies.stagingShare` of the hot tier's write bandwidth",
    ),
  scrubs: z.boolean().default(false).describe('Scrub and repair read and write over it, within its windows'),
});
export type SiteFabric = z.output<typeof SiteFabricSchema>;

type Fabrics = Readonly<Record<string, SiteFabric>>;

/** Undefined where that rack drains, or commits, over none: then it does so without a window. */
export const fabricOfRack = (fabrics: Fabrics, rackId: string, what: 'drains' | 'commits' = 'drains'): string | undefined =>
  Object.entries(fabrics).find(([, fabric]) => fabric[what].includes(rackId))?.[0];

/** Undefined where none does. */
export const fabricThat = (fabrics: Fabrics, what: 'stages' | 'scrubs'): string | undefined => Object.entries(fabrics).find(([, fabric]) => fabric[what])?.[0];

/** As its broker has to know it. Who stages over it has no more than staging's part of the hot tier, however much the fabric carries. */
export function brokered({ capacity, weights, stagingShare, leaseSeconds, mostReservations, stages }: SiteFabric, stagingRate: number): FabricConfig {
  const share = stages ? Math.min(stagingShare, stagingRate / capacity) : stagingShare;
  return { capacity, weights, stagingShare: share, leaseSeconds, mostReservations };
}

/** Whatever is moved has one window, so it has one fabric. */
export function refineFabrics({ fabrics }: { readonly fabrics: Fabrics }, context: z.core.$RefinementCtx): void {
  const taken = new Map<string, string>();
  const take = (what: string, name: string, path: (string | number)[], input: unknown, expected: string): void => {
    const other = taken.get(what);
    if (other !== undefined) context.addIssue({ code: 'custom', path: ['fabrics', name, ...path], message: `${expected}; ${other} has this one`, input });
    taken.set(what, name);
  };
  for (const [name, fabric] of Object.entries(fabrics)) {
    for (const [index, rack] of fabric.drains.entries()) take(`drains ${rack}`, name, ['drains', index], rack, 'a rack that drains over one fabric');
    for (const [index, rack] of fabric.commits.entries()) take(`commits ${rack}`, name, ['commits', index], rack, 'a rack that commits over one fabric');
    for (const what of ['stages', 'scrubs'] as const) if (fabric[what]) take(what, name, [what], true, 'true for one fabric');
  }
}
