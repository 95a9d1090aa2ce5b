import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandExamples } from '../../../cli/command.ts';
import { exitCodeLines } from '../../../cli/exit-codes.ts';
import { buildProgram } from '../../../cli/program.ts';
import { cliReference, fullName, leafCommands } from '../../../cli/reference/cli-reference.ts';
import { isCurrent } from '../../../cli/reference/generated-file.ts';
import { penstock } from './support.ts';

const nothing = () => undefined;
const program = buildProgram(() => Promise.resolve(), { stdout: nothing, stderr: nothing });
const leaves = leafCommands(program);

test('the commands of the house are there', () => {
  assert.deepEqual(
    leaves.map(fullName).map((name) => name.replace('penstock ', '')),
    [
      'allocation plan',
      'allocation submit',
      'allocation status',
      'allocation readiness',
      'allocation assign',
      'allocation reschedule',
      'allocation checkpoint reserve',
      'allocation checkpoint commit',
      'allocation checkpoint restore',
      'allocation checkpoint list',
      'allocation finish',
      'allocation cancel',
      'allocation extend-retention',
      'allocation list',
      'allocation wait',
      'logs',
      'checkpoint write',
      'checkpoint restore',
      'checkpoint list',
      'checkpoint plan',
      'checkpoint drop',
      'transfer start',
      'transfer status',
      'transfer wait',
      'transfer rate',
      'transfer cancel',
      'transfer failed',
      'transfer list',
      'check',
      'check status',
      'check wait',
      'check cancel',
      'check report',
      'recall start',
      'recall status',
      'recall wait',
      'recall cancel',
      'limit set',
      'limit show',
      'limit clear',
      'broker show',
      'broker pause',
      'broker resume',
      'erasure status',
      'erasure where',
      'erasure scrub start',
      'erasure scrub status',
      'erasure scrub stop',
      'erasure scrub pause',
      'erasure scrub resume',
      'erasure scrub rate',
      'erasure repair start',
      'erasure repair call-off',
      'erasure repair status',
      'erasure repair stop',
      'erasure repair pause',
      'erasure repair resume',
      'erasure repair rate',
      'erasure give-up',
      'erasure replicate',
      'erasure simulate',
      'retention hold',
      'retention release-hold',
      'retention dispose',
      'retention report',
      'audit query',
      'audit verify',
      'audit export',
      'policy show',
      'policy plan',
      'policy run',
      'policy status',
      'site up',
      'site down',
      'site status',
      'doctor',
    ],
  );
});

for (const leaf of leaves) {
  test(`${fullName(leaf)} --help shows an example of itself`, async () => {
    const ran = await penstock([...fullName(leaf).split(' ').slice(1), '--help']);
    assert.equal(ran.code, 0);
    assert.match(ran.stdout, new RegExp(`Examples?:\n  \\$ ${fullName(leaf)}`));
  });
}

test('every example is a command line that is understood', async () => {
  for (const leaf of leaves) {
    for (const example of commandExamples(leaf)) {
      const words = [...example.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '').slice(1);
      const seen: string[] = [];
      const tree = buildProgram(async (command) => void seen.push(fullName(command)), { stdout: nothing, stderr: nothing });
      await tree.parseAsync(words, { from: 'user' });
      assert.deepEqual(seen, [fullName(leaf)], example);
    }
  }
});

test('--help lists the exit codes', async () => {
  const { stdout } = await penstock(['--help']);
  for (const line of exitCodeLines()) assert.ok(stdout.includes(line), line);
});

test('docs/cli.md is current: `npm run docs` writes it', async () => {
  assert.ok(await isCurrent(cliReference()));
});
