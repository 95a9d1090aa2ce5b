import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type DemotionPolicy, type DemotionRule, DemotionSchema, type UpperTier } from '../../../model/demotion-rules.ts';
import { type FileFactsOnTier, judge } from '../../../model/demotion-verdict.ts';
import { formatIssues, parseInput } from '../../../model/issues.ts';

const NOW = Date.parse('2026-11-22T00:00:00.000Z');
const DAY_MS = 86_400_000;
/** Few of the files that are made up fit a rule. */
const RUNS = { numRuns: 2000 };

const refusalOf = (input: unknown): string => {
  const parsed = parseInput(DemotionSchema, input);
  return parsed.ok ? 'accepted' : formatIssues(parsed.issues);
};
const policyOf = (rules: unknown[], hotOnly: string[] = []): DemotionPolicy => DemotionSchema.parse({ rules, hotOnly });
const idle = (name: string, more: object = {}) => ({ name, from: 'hot', to: 'warm', sinceAccessDays: 30, ...more });
const file = (more: Partial<FileFactsOnTier> = {}): FileFactsOnTier => ({
  tier: 'hot',
  path: 'training-data/imagenet/a',
  bytes: 1000,
  modifiedAtMs: NOW - 100 * DAY_MS,
  isInUse: false,
  isLocked: false,
  ...more,
});

describe('demotion rules', () => {
  test('where the site names none, what is untouched for 30 days goes to warm, and for 90 days there to cold', () => {
    const { rules } = DemotionSchema.parse({});
    assert.deepEqual(
      rules.map(({ from, to, sinceAccessDays }) => [from, to, sinceAccessDays]),
      [
        ['hot', 'warm', 30],
        ['warm', 'cold', 90],
      ],
    );
  });

  test('a field that is none, a duration that is none and a tier that is none are refused by name', () => {
    assert.match(refusalOf({ rules: [idle('a', { afterDays: 3 })] }), /rules\[0\]\.afterDays: found an unknown field; accepted: no such field/);
    assert.match(refusalOf({ rules: [idle('a', { sinceAccessDays: '30d' })] }), /rules\[0\]\.sinceAccessDays: found "30d"; accepted: number/);
    assert.match(refusalOf({ rules: [idle('a', { sinceAccessDays: 0 })] }), /rules\[0\]\.sinceAccessDays: found 0; accepted: a number of days above 0/);
    assert.match(refusalOf({ rules: [idle('a', { to: 'tape' })] }), /rules\[0\]\.to: found "tape"; accepted: /);
    assert.match(
      refusalOf({ rules: [{ name: 'a', from: 'hot', to: 'warm' }] }),
      /rules\[0\]\.sinceAccessDays: found .*; accepted: a number of days above 0.*; or sinceFinishDays/,
    );
    assert.match(refusalOf({ rules: [idle('a', { prefix: 'training-data/../other' })] }), /rules\[0\]\.prefix: .*accepted: BUCKET or BUCKET\/PREFIX/);
  });

  test('a rule that would bring data up, or leave it where it is, is refused', () => {
    assert.match(
      refusalOf({ rules: [idle('up', { from: 'warm', to: 'hot' })] }),
      /rules\[0\]\.to: found "hot"; accepted: a tier below warm: cold; rules never bring data up/,
    );
    assert.match(refusalOf({ rules: [idle('level', { from: 'warm', to: 'warm' })] }), /rules\[0\]\.to: found "warm"; accepted: a tier below warm: cold/);
    assert.match(refusalOf({ rules: [idle('from-cold', { from: 'cold', to: 'cold' })] }), /rules\[0\]\.from: found "cold"/);
  });

  test('rules that contradict each other are refused: one name twice, and one that another leaves nothing for', () => {
    assert.match(
      refusalOf({ rules: [idle('a'), idle('a', { from: 'warm', to: 'cold' })] }),
      /rules\[1\]\.name: found "a"; accepted: a name that no other rule has/,
    );
    assert.match(
      refusalOf({ rules: [idle('to-warm'), idle('to-cold', { to: 'cold' })] }),
      /rules\[1\]: found .*; accepted: a rule that something is left for: to-warm stands before it/,
    );
    assert.match(refusalOf({ rules: [idle('wide'), idle('narrow', { prefix: 'training-data/logs', sinceAccessDays: 60 })] }), /wide stands before it/);
    assert.equal(refusalOf({ rules: [idle('narrow', { prefix: 'training-data/logs' }), idle('wide', { sinceAccessDays: 7 })] }), 'accepted');
    assert.equal(refusalOf({ rules: [idle('old', { sinceAccessDays: 90, to: 'cold' }), idle('idle')] }), 'accepted');
    assert.match(
      refusalOf({ rules: [idle('a', { tenant: 'acme', prefix: 'other/data' })] }),
      /rules\[0\]\.prefix: found "other\/data"; accepted: one in the bucket of the rule's tenant/,
    );
  });
});

describe('a file is judged', () => {
  test('by the first rule that fits it', () => {
    const policy = policyOf([idle('large', { minBytes: '1MB', sinceAccessDays: 7 }), idle('old', { to: 'cold', sinceAccessDays: 90 }), idle('idle')]);
    const ruleOf = (facts: FileFactsOnTier): string => {
      const verdict = judge(policy, facts, NOW);
      return verdict.kind === 'moves' ? `${verdict.rule.name} to ${verdict.rule.to}` : verdict.reason;
    };
    assert.equal(ruleOf(file({ bytes: 2_000_000, modifiedAtMs: NOW - 8 * DAY_MS })), 'large to warm');
    assert.equal(ruleOf(file()), 'old to cold');
    assert.equal(ruleOf(file({ modifiedAtMs: NOW - 40 * DAY_MS })), 'idle to warm');
    assert.equal(ruleOf(file({ modifiedAtMs: NOW - 8 * DAY_MS })), 'young');
    assert.equal(ruleOf(file({ tier: 'warm' })), 'no-rule');
  });

  test('by its last use: a change, a read or a mount, whichever was last, and says which', () => {
    const policy = policyOf([idle('idle')]);
    const by = (facts: Partial<FileFactsOnTier>) => {
      const verdict = judge(policy, file(facts), NOW);
      return [verdict.kind, verdict.by, verdict.ageDays, 'dueAt' in verdict ? verdict.dueAt : undefined];
    };
    assert.deepEqual(by({}), ['moves', 'change', 100, undefined]);
    assert.deepEqual(by({ readAtMs: NOW - 31 * DAY_MS }), ['moves', 'read', 31, undefined]);
    assert.deepEqual(by({ readAtMs: NOW - 200 * DAY_MS }), ['moves', 'change', 100, undefined], 'where times of access are not kept');
    assert.deepEqual(by({ readAtMs: NOW - 31 * DAY_MS, mountedAtMs: NOW - 2 * DAY_MS }), ['stays', 'mount', 2, '2026-12-20T00:00:00.000Z']);
  });

  test('since the finish only where it lies in an output that is on record', () => {
    const policy = policyOf([{ name: 'finished', from: 'warm', to: 'cold', sinceFinishDays: 7 }]);
    const output = file({ tier: 'warm', path: 'acme/vision/train-1/weights.bin', modifiedAtMs: NOW });
    const reasonOf = (facts: FileFactsOnTier) => {
      const verdict = judge(policy, facts, NOW);
      return verdict.kind === 'moves' ? verdict.by : verdict.reason;
    };
    assert.equal(reasonOf(output), 'no-rule');
    assert.equal(reasonOf({ ...output, finishedAtMs: NOW - 8 * DAY_MS }), 'finish');
    assert.equal(reasonOf({ ...output, finishedAtMs: NOW - 6 * DAY_MS }), 'young');
  });

  test('and stays where the site keeps it hot, an allocation uses it, a lock holds it or it is Penstock’s own', () => {
    const policy = policyOf([idle('idle')], ['training-data/pinned']);
    const reasonOf = (facts: Partial<FileFactsOnTier>) => {
      const verdict = judge(policy, file(facts), NOW);
      return verdict.kind === 'moves' ? 'moves' : verdict.reason;
    };
    assert.equal(reasonOf({ path: 'training-data/pinned/a' }), 'hot-only');
    assert.equal(reasonOf({ path: 'training-data/pinned-not/a' }), 'moves', 'by whole steps');
    assert.equal(reasonOf({ isInUse: true }), 'in-use');
    assert.equal(reasonOf({ isLocked: true }), 'locked');
    assert.equal(reasonOf({ path: 'acme/vision/train-1/.penstock/output.json' }), 'own');
    assert.equal(reasonOf({ path: 'acme/vision/train-1/logs/stdout/n1/chunk_000.log.zst' }), 'own');
  });
});

describe('of any rules and any file', () => {
  const tiers = fc.constantFrom<[UpperTier, 'warm' | 'cold']>(['hot', 'warm'], ['hot', 'cold'], ['warm', 'cold']);
  const places = fc.constantFrom('a', 'a/b', 'a/b/c', 'b');
  const days = fc.integer({ min: 1, max: 50 });
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const ruleArbitrary: fc.Arbitrary<DemotionRule> = fc
    .record({ tier: tiers, access: days, finish: optional(days), min: optional(fc.integer({ min: 0, max: 10 })), prefix: optional(places) })
    .map(({ tier: [from, to], access, finish, min, prefix }) => ({
      name: 'rule',
      from,
      to,
      sinceAccessDays: access,
      ...(finish === undefined ? {} : { sinceFinishDays: finish }),
      ...(min === undefined ? {} : { minBytes: min }),
      ...(prefix === undefined ? {} : { prefix }),
    }));
  const policies = fc
    .record({ rules: fc.array(ruleArbitrary, { maxLength: 5 }), hotOnly: fc.array(places, { maxLength: 1 }) })
    .map(({ rules, hotOnly }): DemotionPolicy => ({ rules: rules.map((rule, index) => ({ ...rule, name: `rule-${index}` })), hotOnly }));
  const instants = fc.integer({ min: -60, max: 1 }).map((offset) => NOW + offset * DAY_MS);
  const files = fc
    .record({
      tier: fc.constantFrom<UpperTier>('hot', 'warm'),
      path: fc.constantFrom('a/f', 'a/b/f', 'a/b/c/f', 'b/f', 'c/f'),
      bytes: fc.integer({ min: 0, max: 20 }),
      modifiedAtMs: instants,
      readAtMs: optional(instants),
      mountedAtMs: optional(instants),
      finishedAtMs: optional(instants),
      isInUse: fc.boolean(),
      isLocked: fc.boolean(),
    })
    .map(
      ({ readAtMs, mountedAtMs, finishedAtMs, ...facts }): FileFactsOnTier => ({
        ...facts,
        ...(readAtMs === undefined ? {} : { readAtMs }),
        ...(mountedAtMs === undefined ? {} : { mountedAtMs }),
        ...(finishedAtMs === undefined ? {} : { finishedAtMs }),
      }),
    );

  test('the verdict is the same each time, one rule at most, and down a tier', () => {
    fc.assert(
      fc.property(policies, files, (policy, facts) => {
        const verdict = judge(policy, facts, NOW);
        assert.deepEqual(judge(structuredClone(policy), structuredClone(facts), NOW), verdict);
        if (verdict.kind === 'stays') return;
        const { rule } = verdict;
        assert.ok(rule.from === facts.tier && rule.to !== facts.tier);
        // No rule before it would have taken the file by itself.
        const before = policy.rules.slice(0, policy.rules.indexOf(rule));
        for (const earlier of before) assert.equal(judge({ ...policy, rules: [earlier] }, facts, NOW).kind, 'stays');
      }),
    );
  });

  test('what is kept hot, in use or locked never moves, and neither does what was used within its rule’s days', () => {
    fc.assert(
      fc.property(policies, files, (policy, facts) => {
        const verdict = judge(policy, facts, NOW);
        if (verdict.kind === 'stays') return;
        assert.ok(!facts.isInUse && !facts.isLocked);
        assert.ok(!policy.hotOnly.some((place) => facts.path.startsWith(`${place}/`)));
        const lastUse = Math.max(facts.modifiedAtMs, facts.readAtMs ?? 0, facts.mountedAtMs ?? 0);
        assert.ok(NOW - lastUse >= (verdict.rule.sinceAccessDays ?? 0) * DAY_MS);
      }),
      RUNS,
    );
  });

  test('to know more uses, holds or locks never makes a file move that had stayed', () => {
    fc.assert(
      fc.property(policies, files, optional(instants), optional(instants), (policy, facts, readAtMs, mountedAtMs) => {
        const known = { ...facts, readAtMs: Math.max(facts.readAtMs ?? 0, readAtMs ?? 0), mountedAtMs: Math.max(facts.mountedAtMs ?? 0, mountedAtMs ?? 0) };
        if (judge(policy, facts, NOW).kind === 'stays') assert.equal(judge(policy, known, NOW).kind, 'stays');
        if (judge(policy, facts, NOW).kind === 'stays') assert.equal(judge(policy, { ...facts, isInUse: true, isLocked: true }, NOW).kind, 'stays');
      }),
      RUNS,
    );
  });
});
