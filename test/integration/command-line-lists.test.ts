/** What an operator reads of transfers and checks that are over: all that failed, all that differs, and that nothing was done now. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';
import { runCli } from '../../cli/run-cli.ts';
import { connectPenstock } from '../../client/penstock.ts';
import { openStores } from '../../drivers/open-site.ts';
import { datasetFiles, seedDataset } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';

describe('penstock, of what is over', { concurrency: false }, () => {
  let site: TestSite;
  before(async () => {
    site = await startTestSite();
  });
  after(() => site.stop());

  const penstock = async (...args: string[]) => {
    const written = { stdout: '', stderr: '' };
    const code = await runCli(['--site', site.running.siteFile, ...args], {
      writeBytes: () => Promise.resolve(),
      stdout: (text) => {
        written.stdout += text;
      },
      stderr: (text) => {
        written.stderr += text;
      },
      cwd: site.directory,
      env: process.env,
      hasColor: false,
      connect: ({ temporal }) => connectPenstock(temporal),
      openStores,
      now: () => new Date(),
      delay: (milliseconds, signal) => delay(milliseconds, undefined, { signal }),
    });
    return { code, ...written };
  };
  const succeed = async (...args: string[]): Promise<string> => {
    const outcome = await penstock(...args);
    assert.equal(outcome.code, 0, `${args.join(' ')}: ${outcome.stderr}`);
    return outcome.stdout;
  };

  test('every entry that was not moved and every difference is read by commands alone, also behind the first twenty', async () => {
    const dataset = datasetFiles(30, 100, 'lists');
    const paths = [...dataset.keys()].sort();
    const taken = paths.slice(0, 25);
    await seedDataset(site.stores.warm, dataset, 'training-data', 'lists/');
    for (const path of taken) await site.stores.warm.writeBytes('training-data', `taken/${path}`, Buffer.from('mine'));
    const started = await penstock('transfer', 'start', 'warm:training-data/lists/', 'warm:training-data/taken/', '--id', 'lists', '--wait');
    assert.equal(started.code, 7, started.stderr);
    const lines = (await succeed('transfer', 'failed', 'lists')).trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => line.split('\t').slice(0, 2)),
      taken.map((path) => [path, 'Conflict']),
    );
    const objects = (await succeed('-o', 'json', 'transfer', 'failed', 'lists')).trimEnd().split('\n');
    assert.deepEqual(
      objects.map((line) => JSON.parse(line).path),
      taken,
    );

    const checked = await penstock('check', 'lists', '--id', 'partly');
    assert.equal(checked.code, 7, checked.stderr);
    assert.match(checked.stdout, /= +5 +the same\n\n25 entries of this transfer were not moved and are not checked: penstock transfer failed lists/);
    const extra = await penstock('check', 'lists', '--extra', '--id', 'more');
    assert.deepEqual([extra.code, extra.stdout.split('\n').filter((line) => line.startsWith('- ')).length], [8, 21], 'the first twenty, and the count');
    assert.equal(await succeed('check', 'report', 'more'), taken.map((path) => `- ${path}\n`).join(''));
    assert.deepEqual(parse(await succeed('-o', 'yaml', 'check', 'report', 'check/more'))[24], { symbol: '-', path: taken.at(-1) });
    assert.match(await succeed('check', 'status', 'more'), /state +complete, [\s\S]*checked +5 of 5 entries, 25 differences[\s\S]*not checked +25 entries/);
  });

  test('what is over or never was is told from what runs', async () => {
    const again = await penstock('transfer', 'start', 'warm:training-data/lists/', 'warm:training-data/taken/', '--id', 'lists', '--wait');
    assert.deepEqual([again.code, again.stdout], [9, '']);
    assert.match(again.stderr, /transfer lists ended at \S+ as partial; nothing was moved now/);
    const cancelled = await penstock('transfer', 'cancel', 'lists');
    assert.equal(cancelled.code, 9);
    assert.match(cancelled.stderr, /transfer\/lists was over already: it ended at \S+ as partial\. There is nothing to cancel/);
    const limited = await penstock('transfer', 'rate', 'lists', '0');
    assert.match(limited.stderr, /transfer "lists" is over, and takes no more orders/);
    for (const line of [
      ['transfer', 'status', 'nope'],
      ['transfer', 'cancel', 'nope'],
      ['transfer', 'rate', 'nope', '0'],
      ['check', 'nope'],
    ]) {
      const nope = await penstock(...line);
      assert.deepEqual(
        [nope.code, nope.stderr],
        [3, 'NotFound: there is no transfer "nope". `penstock transfer list` names those there are.\n'],
        line.join(' '),
      );
    }
    assert.match((await penstock('check', 'status', 'nope')).stderr, /there is no check "nope"/);
  });

  test('Ctrl-C leaves a transfer that is waited for to itself', async () => {
    const places = ['warm:training-data/lists/', 'warm:training-data/left/', '--id', 'left', '--rate', '0', '--wait'];
    const child = spawn(process.execPath, ['cli/main.ts', '--site', site.running.siteFile, 'transfer', 'start', ...places], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let told = '';
    for await (const line of createInterface({ input: child.stderr })) {
      told += `${line}\n`;
      if (line.startsWith('moving')) child.kill('SIGINT');
    }
    assert.match(told, /Interrupted: transfer left goes on; `penstock transfer cancel left` ends it/);
    assert.equal(child.exitCode ?? (await once(child, 'exit'))[0], 130);
    assert.equal((await site.penstock.transfers.status('left')).state, 'moving');
    assert.match(await succeed('transfer', 'cancel', 'left'), /state +cancelled/);
  });

  test('a check of a bucket that does not exist is no list of missing entries', async () => {
    const outcome = await penstock('check', 'lists', '--target', 'cold:team-z/data/');
    assert.equal(outcome.code, 6);
    assert.match(outcome.stderr, /the bucket "team-z" does not exist in cold/);
  });
});
