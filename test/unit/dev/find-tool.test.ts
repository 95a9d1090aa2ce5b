import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { findTool } from '../../../dev/toolchain/find-tool.ts';

const saved = { ...process.env };
let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-find-tool-'));
  await mkdir(join(directory, 'path'));
  process.env['PATH'] = `${join(directory, 'path')}:/usr/bin:/bin`;
  process.env['PENSTOCK_CACHE_DIR'] = join(directory, 'cache');
  delete process.env['PENSTOCK_VERSITYGW'];
});
afterEach(async () => {
  process.env = { ...saved };
  await rm(directory, { recursive: true });
});

test('a gateway on the PATH is taken where it is new enough', async () => {
  await gateway(join(directory, 'path/versitygw'), 'Version  : v1.10.2');
  assert.deepEqual(await findTool('versitygw'), { path: join(directory, 'path/versitygw'), version: '1.10.2', origin: 'path' });
});

test('a gateway before 1.8.0, which lets COMPLIANCE be shortened, is passed over', async () => {
  await gateway(join(directory, 'path/versitygw'), 'Version  : v1.7.0');
  assert.equal(await findTool('versitygw'), undefined);
});

test('a gateway on the PATH that cannot tell its version is passed over', async () => {
  await gateway(join(directory, 'path/versitygw'), 'Version  : git');
  assert.equal(await findTool('versitygw'), undefined);
});

test("what `go install` built tells its version by its module's record", async () => {
  const record =
    'path\tgithub.com/versity/versitygw/cmd/versitygw\nmod\tgithub.com/versity/versitygw\tv1.8.3\th1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\n';
  await gateway(join(directory, 'path/versitygw'), 'Version  : git', `\n: <<'RECORD'\n${record}RECORD\n`);
  assert.equal((await findTool('versitygw'))?.version, '1.8.3');
});

test('the cache of a user is looked at after the PATH', async () => {
  const cached = join(directory, 'cache/tools/versitygw-1.8.0/versitygw');
  await gateway(cached, 'Version  : git');
  assert.deepEqual(await findTool('versitygw'), { path: cached, version: '1.8.0', origin: 'cache' });
});

test('an explicit wish that cannot be met is an error, not passed over', async () => {
  await gateway(join(directory, 'path/versitygw'), 'Version  : v1.8.0');
  process.env['PENSTOCK_VERSITYGW'] = join(directory, 'nowhere');
  await assert.rejects(findTool('versitygw'), /PENSTOCK_VERSITYGW: .*nowhere is not an executable file/);
  await gateway(join(directory, 'old'), 'Version  : v1.7.0');
  process.env['PENSTOCK_VERSITYGW'] = join(directory, 'old');
  await assert.rejects(findTool('versitygw'), /is version 1\.7\.0, at least 1\.8\.0 is needed/);
});

async function gateway(path: string, printed: string, more = ''): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho '${printed}'\n${more}`);
  await chmod(path, 0o755);
}
