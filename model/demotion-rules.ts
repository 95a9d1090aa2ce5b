/** Which data goes down a tier by itself, and when: the site file's `demotion`. */
import * as z from 'zod';
import { TenantSchema } from './identifiers.ts';
import { BytesSchema } from './quantity.ts';

/** From the nearest to the farthest: data goes down this list and never up. */
const tiers = ['hot', 'warm', 'cold'] as const;
export type Tier = (typeof tiers)[number];
/** Tiers that something can go down from. */
export const upperTiers = ['hot', 'warm'] as const satisfies readonly Tier[];
export type UpperTier = (typeof upperTiers)[number];

const isBelow = (to: Tier, from: Tier): boolean => tiers.indexOf(to) > tiers.indexOf(from);

const DAYS_EXPECTED = 'a number of days above 0, such as 30 or 0.5';
const DaysSchema = z.number().refine((days) => days > 0, DAYS_EXPECTED);
/** S3's rule. */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PLACE_EXPECTED = 'BUCKET or BUCKET/PREFIX such as "training-data/imagenet", a bucket\'s name as S3 has them, without empty, "." or ".." steps';
const PlaceSchema = z
  .string()
  .refine(isPlace, PLACE_EXPECTED)
  .transform((text) => text.replace(/\/$/, ''));

function isPlace(text: string): boolean {
  const steps = text.replace(/\/$/, '').split('/');
  return BUCKET.test(bucketOf(text)) && steps.every((step) => step !== '' && step !== '.' && step !== '..' && !/\p{Cc}/u.test(step));
}

export const DemotionRuleSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,62}$/, '1 to 63 of a-z, 0-9 and "-", starting with a letter')
      .describe('Its name in plans and reports'),
    from: z.enum(upperTiers).describe('The tier that data leaves'),
    to: z.enum(tiers).describe('A colder one, where it goes under the same bucket and name'),
    sinceAccessDays: DaysSchema.optional().describe(
      'Least age since its last use: on the hot tier a read or write, on all tiers a change or an allocation that mounts it',
    ),
    sinceFinishDays: DaysSchema.optional().describe("Least age of the record of the allocation's output that it lies below; what lies below none is not taken"),
    minBytes: BytesSchema.optional().describe('Smaller ones stay'),
    maxBytes: BytesSchema.optional().describe('Larger ones stay'),
    tenant: TenantSchema.optional().describe("Only this tenant's bucket"),
    prefix: PlaceSchema.optional().describe('Only what lies below it: BUCKET or BUCKET/PREFIX'),
  })
  .describe('What fits all that a rule names is taken by it');

export type DemotionRule = z.output<typeof DemotionRuleSchema>;

/** The data-plane specification's: untouched for 30 days, 90 on the warm tier. */
const DEFAULT_RULES = [
  { name: 'idle-on-hot', from: 'hot', to: 'warm', sinceAccessDays: 30 },
  { name: 'idle-on-warm', from: 'warm', to: 'cold', sinceAccessDays: 90 },
] as const;

export const DemotionSchema = z
  .strictObject({
    rules: z
      .array(DemotionRuleSchema)
      .max(100)
      .default([...DEFAULT_RULES])
      .describe(
        'The first one that fits takes a file; an empty list moves nothing. Where absent: what is untouched for 30 days goes from hot to warm, for 90 days there to cold',
      ),
    hotOnly: z.array(PlaceSchema).max(1000).default([]).describe('BUCKET or BUCKET/PREFIX that no rule takes, whatever its age'),
  })
  .superRefine(({ rules }, context) => {
    for (const [index, rule] of rules.entries()) {
      const at = (field: keyof DemotionRule | undefined, message: string): void =>
        context.addIssue({ code: 'custom', path: ['rules', index, ...(field ? [field] : [])], message, input: field ? rule[field] : rule.name });
      for (const { field, accepted } of faultsOf(rule)) at(field, accepted);
      const before = rules.slice(0, index);
      if (before.some(({ name }) => name === rule.name)) at('name', 'a name that no other rule has');
      const blocker = before.find((earlier) => takesAllOf(earlier, rule));
      if (blocker)
        at(
          undefined,
          `a rule that something is left for: ${blocker.name} stands before it and takes all that it would; put it first, or narrow ${blocker.name}`,
        );
    }
  });

export type DemotionPolicy = z.output<typeof DemotionSchema>;

interface Fault {
  readonly field: keyof DemotionRule;
  /** What would be accepted. */
  readonly accepted: string;
}

/** What is wrong with a rule by itself. */
function faultsOf(rule: DemotionRule): Fault[] {
  const { from, to, sinceAccessDays, sinceFinishDays, minBytes = 0, maxBytes = Number.POSITIVE_INFINITY, tenant, prefix } = rule;
  const faults: Fault[] = [];
  if (!isBelow(to, from))
    faults.push({ field: 'to', accepted: `a tier below ${from}: ${tiers.filter((tier) => isBelow(tier, from)).join(' or ')}; rules never bring data up` });
  if (sinceAccessDays === undefined && sinceFinishDays === undefined)
    faults.push({ field: 'sinceAccessDays', accepted: `${DAYS_EXPECTED}; or sinceFinishDays` });
  if (minBytes > maxBytes) faults.push({ field: 'minBytes', accepted: `at most maxBytes, ${maxBytes}` });
  if (tenant !== undefined && prefix !== undefined && bucketOf(prefix) !== tenant)
    faults.push({ field: 'prefix', accepted: `one in the bucket of the rule's tenant, such as "${tenant}/data"` });
  return faults;
}

/** Whatever fits the later rule fits the earlier one. */
function takesAllOf(earlier: DemotionRule, later: DemotionRule): boolean {
  return (
    earlier.from === later.from &&
    (earlier.sinceAccessDays === undefined || earlier.sinceAccessDays <= (later.sinceAccessDays ?? 0)) &&
    (earlier.sinceFinishDays === undefined || earlier.sinceFinishDays <= (later.sinceFinishDays ?? 0)) &&
    (earlier.minBytes ?? 0) <= (later.minBytes ?? 0) &&
    (earlier.maxBytes ?? Number.POSITIVE_INFINITY) >= (later.maxBytes ?? Number.POSITIVE_INFINITY) &&
    scopesOf(earlier).every((scope) => scopesOf(later).some((narrower) => liesBelow(narrower, scope)))
  );
}

/** The places that a file must lie below, all of them; none where the rule names none. */
export const scopesOf = ({ tenant, prefix }: Pick<DemotionRule, 'tenant' | 'prefix'>): string[] => [tenant, prefix].filter((place) => place !== undefined);

/** By whole steps: "a/bc" does not lie below "a/b". */
export const liesBelow = (path: string, place: string): boolean => path === place || path.startsWith(`${place}/`);

export const bucketOf = (place: string): string => place.split('/', 1)[0] ?? place;
