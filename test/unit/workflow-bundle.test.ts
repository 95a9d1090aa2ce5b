/** What webpack made is kept, and made anew where it is not whole. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundleWorkflows } from '../../workers/bundle.ts';

test('the bundle of workflows is made once, kept alone, and made again where what was kept is cut short or changed', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-bundle-'));
  t.after(() => rm(directory, { recursive: true }));
  let made = 0;
  const bundled = () =>
    bundleWorkflows({
      directory,
      make: async () => {
        made += 1;
        return { code: 'exports.workflows = 1;\n', sourceMap: '' };
      },
    });
  await writeFile(join(directory, 'of-older-sources.js'), '// sha256 none');
  const { code } = await bundled();
  const [name = '', ...others] = await readdir(directory);
  assert.deepEqual([others, made], [[], 1]);
  assert.deepEqual([(await bundled()).code, made], [code, 1]);

  const file = join(directory, name);
  const whole = await readFile(file, 'utf8');
  await truncate(file, whole.length - 1);
  assert.deepEqual([(await bundled()).code, made], [code, 2]);
  await writeFile(file, whole.replace('= 1', '= 2'));
  assert.deepEqual([(await bundled()).code, made], [code, 3]);
  assert.equal(await readFile(file, 'utf8'), whole);
});
