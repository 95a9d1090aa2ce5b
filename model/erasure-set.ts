/**
 * The erasure set's part of the site file: its racks, where shards may lie, and the sets of other sites that copies go to. Law is held here and again
 * where racks are opened and copies begun: a country that is not allowed never gets a byte.
 */
import * as z from 'zod';
import { PenstockError } from './errors.ts';
import { IdentifierSchema } from './identifiers.ts';
import { closureOf, type PlacementRules, type RackClosure } from './placement.ts';
import { foreignS3, JurisdictionSchema } from './site-parts.ts';

/** Racks that a whole object needs: one for each of 14 data and 4 parity shards. */
export const SHARD_RACKS = 18;

export const RackSchema = z.strictObject({
  id: IdentifierSchema.describe('Keeps at most one shard of an object'),
  room: IdentifierSchema.describe('Shards are spread over as many rooms as there are'),
  bucket: z.string().describe("The rack's bucket in the erasure set's store; in a directory tree, its directory below the root"),
  jurisdiction: JurisdictionSchema.optional().describe("The rack's country, where it is not that of the set's store"),
});
const RacksSchema = z.array(RackSchema).min(SHARD_RACKS).describe('One for each shard, and spares');
const QuarantinedSchema = z.array(IdentifierSchema).default([]).describe('Racks, by id, that take no new shard; what they hold is still read');

const replica = {
  jurisdiction: JurisdictionSchema.describe('Its country; one that erasureSet.jurisdictions allows'),
  racks: RacksSchema,
  quarantined: QuarantinedSchema,
  checkpoints: z.boolean().default(false).describe('Copy each checkpoint there once it is drained'),
};
export const ReplicaSchema = z.discriminatedUnion('driver', [
  z.strictObject({ ...foreignS3, ...replica }),
  z.strictObject({
    driver: z.literal('posix').describe('A directory tree that every data worker sees at the same path, with a directory for each rack'),
    root: z.string().describe('Its root; relative paths are below the site directory'),
    ...replica,
  }),
]);

export const ErasureSetSchema = z.strictObject({
  dataShards: z.literal(14).describe('Any so many shards give the object back'),
  parityShards: z.literal(4).describe('So many racks may be lost'),
  jurisdictions: z.array(JurisdictionSchema).min(1).optional().describe("Countries in which shards and copies may lie; the site's own where absent"),
  racks: RacksSchema,
  quarantined: QuarantinedSchema,
  replicas: z.record(IdentifierSchema, ReplicaSchema).default({}).describe('Erasure sets of other sites, by name, that objects may be copied to'),
});

export type RackConfig = z.output<typeof RackSchema>;
export type ReplicaConfig = z.output<typeof ReplicaSchema>;

/** As much of a site as its erasure set needs. */
export interface ErasureSite {
  readonly jurisdiction: string;
  readonly stores: { readonly racks: { readonly jurisdiction: string; readonly endpoint: string } };
  readonly erasureSet: z.output<typeof ErasureSetSchema>;
}
interface RackSet {
  readonly path: readonly (string | number)[];
  readonly jurisdiction: string;
  readonly racks: readonly RackConfig[];
  readonly quarantined: readonly string[];
}

export const allowedJurisdictions = ({ jurisdiction, erasureSet }: Pick<ErasureSite, 'jurisdiction' | 'erasureSet'>): readonly string[] =>
  erasureSet.jurisdictions ?? [jurisdiction];

/** Why a rack of the site's own set takes no new shard; undefined where it may. */
export function ownRackClosure(site: ErasureSite, rack: RackConfig): RackClosure | undefined {
  return rackClosure(rack, { jurisdiction: site.stores.racks.jurisdiction, quarantined: site.erasureSet.quarantined }, allowedJurisdictions(site));
}

/** The same of a rack of a copy's set. */
export function replicaRackClosure(site: ErasureSite, replicaConfig: ReplicaConfig, rack: RackConfig): RackClosure | undefined {
  return rackClosure(rack, replicaConfig, allowedJurisdictions(site));
}

function rackClosure(rack: RackConfig, set: Pick<RackSet, 'jurisdiction' | 'quarantined'>, jurisdictions: readonly string[]): RackClosure | undefined {
  const rules: PlacementRules = { jurisdictions, quarantined: set.quarantined };
  return closureOf({ id: rack.id, jurisdiction: rack.jurisdiction ?? set.jurisdiction }, rules);
}

/**
 * @param within countries that are allowed for these objects, where they are fewer than the site's
 * @throws PenstockError InvalidInput where there is no such set; PolicyRefused where it lies, wholly or in part, where no copy may lie
 */
export function requireReplica(site: ErasureSite, name: string, within: readonly string[] = allowedJurisdictions(site)): ReplicaConfig {
  const { replicas } = site.erasureSet;
  const found = Object.hasOwn(replicas, name) ? replicas[name] : undefined;
  if (!found) {
    throw new PenstockError(
      'InvalidInput',
      `to: found ${JSON.stringify(name)}; accepted: ${Object.keys(replicas).join(', ') || 'none, for the site file names no replicas'}`,
      {
        nextStep: 'Name one of them, or add it to the site file under erasureSet.replicas.',
      },
    );
  }
  const allowed = allowedJurisdictions(site).filter((country) => within.includes(country));
  const foreign = [...new Set([found.jurisdiction, ...found.racks.map((rack) => rack.jurisdiction ?? found.jurisdiction)])].filter(
    (country) => !allowed.includes(country),
  );
  if (foreign.length === 0) return found;
  throw new PenstockError(
    'PolicyRefused',
    `replica ${name} lies in ${foreign.join(', ')}; copies may lie in ${allowed.join(', ') || 'no country that both the site and the request allow'}.`,
    {
      nextStep: 'Choose a replica there, or let who answers for the data allow the country.',
    },
  );
}

/** What the parts of the site file say of each other; for the schema. */
export function refineErasureSet(site: ErasureSite, context: z.core.$RefinementCtx): void {
  const { erasureSet, stores } = site;
  const refuse = (path: readonly (string | number)[], message: string) => context.addIssue({ code: 'custom', path: [...path], message });
  const allowed = allowedJurisdictions(site);
  const own: RackSet = { path: ['erasureSet'], jurisdiction: stores.racks.jurisdiction, ...erasureSet };
  const copies = Object.entries(erasureSet.replicas).map(([name, each]) => ({ ...each, path: ['erasureSet', 'replicas', name] }));
  for (const set of [own, ...copies]) refineRacks(set, allowed, refuse);

  const places = new Map<string, string>();
  for (const { path, prefix, racks } of [
    { ...own, prefix: placeOf(stores.racks.endpoint) },
    ...copies.map((copy) => ({ ...copy, prefix: placeOf(copy.driver === 's3' ? copy.endpoint : copy.root) })),
  ]) {
    for (const [index, { bucket }] of racks.entries()) {
      const taken = places.get(`${prefix}/${bucket}`);
      // A copy in the same place would find itself, and be no copy.
      if (taken !== undefined && taken !== path.join('.')) refuse([...path, 'racks', index, 'bucket'], `a place of its own; ${taken} has this one`);
      places.set(`${prefix}/${bucket}`, path.join('.'));
    }
  }
  for (const { path, jurisdiction } of copies) {
    if (!allowed.includes(jurisdiction))
      refuse([...path, 'jurisdiction'], `${allowed.map((each) => `"${each}"`).join(', ')}: a copy lies only where erasureSet.jurisdictions allows`);
  }
}

const placeOf = (place: string): string => place.replace(/\/+$/, '');

function refineRacks(set: RackSet, jurisdictions: readonly string[], refuse: (path: readonly (string | number)[], message: string) => void): void {
  for (const field of ['id', 'bucket'] as const) {
    for (const [index, rack] of set.racks.entries()) {
      if (set.racks.findIndex((other) => other[field] === rack[field]) < index)
        refuse([...set.path, 'racks', index, field], 'one that no other rack of the set has');
    }
  }
  for (const [index, id] of set.quarantined.entries()) {
    if (!set.racks.some((rack) => rack.id === id)) refuse([...set.path, 'quarantined', index], 'the id of a rack of the set');
  }
  const foreign = set.racks.filter((rack) => rackClosure(rack, set, jurisdictions)?.kind === 'foreign');
  if (set.racks.length - foreign.length < SHARD_RACKS) {
    const reasons = foreign.map((rack) => `${rack.id} lies in ${rack.jurisdiction ?? set.jurisdiction}`).join(', ');
    refuse([...set.path, 'racks'], `at least ${SHARD_RACKS} racks in ${jurisdictions.join(' or ')}; ${reasons}`);
  }
}
