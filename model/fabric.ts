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
});
export type SiteFabric = z.output<typeof SiteFabricSchema>;

type Fabrics = Readonly<Record<string, SiteFabric>>;

/** Undefined where that rack drains over none: then it drains without a window. */
export const fabricOfRack = (fabrics: Fabrics, rackId: string): string | undefined =>
  Object.entries(fabrics).find(([, { drains }]) => drains.includes(rackId))?.[0];

/** A drain has one window, so its rack has one fabric. */
export function refineFabrics({ fabrics }: { readonly fabrics: Fabrics }, context: z.core.$RefinementCtx): void {
  const taken = new Map<string, string>();
  for (const [name, { drains }] of Object.entries(fabrics)) {
    for (const [index, rack] of drains.entries()) {
      const other = taken.get(rack);
      if (other !== undefined)
        context.addIssue({
          code: 'custom',
          path: ['fabrics', name, 'drains', index],
          message: `a rack that drains over one fabric; ${other} has this one`,
          input: rack,
        });
      taken.set(rack, name);
    }
  }
}
