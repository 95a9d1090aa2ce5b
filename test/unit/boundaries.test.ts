/** Dependencies point one way, and the workflow bundle holds nothing but what is deterministic. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { bundleWorkflows } from '../../workers/bundle.ts';

/** Folder -> folders it may import from (its own is understood). `type:` allows types only. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  model: [],
  datapath: ['model', 'drivers'],
  drivers: ['model', 'datapath'],
  activities: ['model', 'drivers', 'datapath'],
  workflows: ['model', 'type:activities', 'type:drivers'],
  workers: ['model', 'drivers', 'activities', 'workflows'],
  client: ['model'],
  'client/checkpoint': ['model', 'drivers', 'datapath'],
  cli: ['model', 'client', 'drivers', 'dev', 'activities', 'package.json'],
};
/** Bytes and ports meet here: drivers may use the data path's checksums, layouts and lanes, never its engines. */
const driverUses = /^datapath\/(transfer\/(crc32c|foreign-checksum|lanes)|erasure\/layout)\.ts$/;

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

describe('boundaries', () => {
  for (const [folder, targets] of Object.entries(allowed)) {
    test(`${folder}/ imports only ${targets.join(', ') || 'packages'}`, async () => {
      const own = Object.keys(allowed).filter((other) => other.startsWith(`${folder}/`));
      const imports = (await importsOf(folder)).filter(({ from }) => !own.some((part) => from.startsWith(`${part}/`)));
      const wrong = imports.filter(({ from, to, typeOnly }) => {
        if (to.startsWith(`${folder}/`)) return own.some((part) => to.startsWith(`${part}/`));
        const target = to.split('/')[0] ?? '';
        if (folder === 'drivers' && target === 'datapath') return !driverUses.test(to);
        return !(targets.includes(target) || (typeOnly && targets.includes(`type:${target}`))) || from === to;
      });
      assert.deepEqual(wrong, []);
    });
  }

  test('drivers and the data path know nothing of Temporal', async () => {
    for (const folder of ['drivers', 'datapath']) {
      for (const file of await sources(folder)) assert.doesNotMatch(await readFile(file, 'utf8'), /@temporalio\//, file);
    }
  });

  test('the workflow bundle holds workflows, model, zod and the SDK, and no activity, driver or Node module', async () => {
    const { code } = await bundleWorkflows();
    const modules = [
      ...code.matchAll(/"\.\/((?:workflows|model|node_modules|activities|drivers|datapath|client|workers|dev)\/[\w@./-]+\.(?:ts|js|cjs|mjs))"/g),
    ].map((match) => match[1] ?? '');
    assert.ok(modules.includes('workflows/allocation.ts'));
    const foreign = modules.filter(
      (name) => !/^(workflows|model)\//.test(name) && !/^node_modules\/(@temporalio\/(common|workflow)|zod|nexus-rpc|long|ms)\//.test(name),
    );
    assert.deepEqual(foreign, []);
  });

  test('workflows read no clock but Temporal’s, no environment and no locale', async () => {
    for (const file of await sources('workflows')) {
      assert.doesNotMatch(await readFile(file, 'utf8'), /process\.|toLocale|Intl\.|require\(|'node:/, file);
    }
  });
});

async function sources(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && entry.name.endsWith('.ts')).map((entry) => join(entry.parentPath, entry.name));
}

async function importsOf(folder: string): Promise<Import[]> {
  const found: Import[] = [];
  for (const file of await sources(folder)) {
    const text = await readFile(file, 'utf8');
    for (const match of text.matchAll(/^(?:import|export)\s+(type\s+)?[^;]*?from\s+'(\.[^']+)'/gm)) {
      found.push({ from: file, to: relative('.', join(dirname(file), match[2] ?? '')), typeOnly: match[1] !== undefined });
    }
  }
  return found;
}
