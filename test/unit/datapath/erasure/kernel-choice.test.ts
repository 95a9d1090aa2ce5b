import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { chooseKernel, kernelNames, needKernel } from '../../../../datapath/erasure/kernel/choose.ts';
import type { ErasureKernel, KernelName } from '../../../../datapath/erasure/kernel/kernel.ts';
import { findIsal, isalCandidates } from '../../../../datapath/native/isal-library.ts';
import { resolveIsal } from '../../../../dev/toolchain/libisal.ts';

const saved = { ...process.env };
let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-kernel-'));
});
afterEach(async () => {
  process.env = { ...saved };
  await rm(directory, { recursive: true });
});

describe('the choice of a kernel', () => {
  it('takes the fastest that is there', async () => {
    const { path } = await resolveIsal();
    const { kernel, passedOver } = await chooseKernel();
    assert.equal(kernel.name, 'isal');
    assert.equal(kernel.description, `ISA-L, ${path}`);
    assert.deepEqual(passedOver, []);
  });

  it('goes on without ISA-L where there is none, or none is wanted', async () => {
    process.env['PENSTOCK_LIBISAL'] = 'off';
    const { kernel, passedOver } = await chooseKernel();
    assert.equal(kernel.name, 'wasm-relaxed');
    assert.deepEqual(passedOver, [{ name: 'isal', reason: 'this machine does not have it' }]);
    await assert.rejects(needKernel('isal'), /this machine does not have the erasure kernel isal/);
  });

  it('takes plain vectors where the engine has no relaxed swizzle', async () => {
    const { kernel } = await chooseKernel(without('isal', 'wasm-relaxed'));
    assert.equal(kernel.name, 'wasm-simd');
  });

  it('never uses one that computes wrongly, and says so', async () => {
    const isal = async (name: KernelName) => {
      const kernel = await needKernel(name);
      return name === 'isal' ? forgetful(kernel) : kernel;
    };
    await resolveIsal();
    const { kernel, passedOver } = await chooseKernel(isal);
    assert.equal(kernel.name, 'wasm-relaxed');
    assert.match(passedOver[0]?.reason ?? '', /ISA-L, .* gives wrong results on this machine/);
  });

  it('says what is missing where nothing works', async () => {
    await assert.rejects(
      chooseKernel(without(...kernelNames)),
      /no erasure kernel works on this machine \(isal: this machine does not have it; wasm-relaxed: .*\)\. Install the Debian package libisal2/,
    );
  });
});

describe('looking for ISA-L', () => {
  it('takes what the environment names, and nothing else', async () => {
    const { path } = await resolveIsal();
    const copy = join(directory, 'libisal.so.2');
    await copyFile(path, copy);
    process.env['PENSTOCK_LIBISAL'] = copy;
    assert.equal((await findIsal())?.path, copy);
    process.env['PENSTOCK_LIBISAL'] = join(directory, 'nowhere.so');
    await assert.rejects(findIsal(), /PENSTOCK_LIBISAL: .*nowhere\.so cannot be used as ISA-L: .*Correct it, unset it, or set it to "off"\./s);
    process.env['PENSTOCK_LIBISAL'] = 'libc.so.6';
    await assert.rejects(findIsal(), /PENSTOCK_LIBISAL: libc\.so\.6 cannot be used as ISA-L: .*ec_init_tables/s);
  });

  it("looks at what is installed, then into the user's cache", async () => {
    const { path } = await resolveIsal();
    process.env['PENSTOCK_CACHE_DIR'] = directory;
    const cached = join(directory, 'lib', 'libisal.so.2');
    assert.deepEqual(isalCandidates(), ['libisal.so.2', cached]);
    assert.equal(await findIsal(['libisal-nowhere.so.2', cached]), undefined);
    await mkdir(dirname(cached));
    await copyFile(path, cached);
    assert.equal((await findIsal(['libisal-nowhere.so.2', cached]))?.path, cached);
  });
});

const without =
  (...missing: KernelName[]) =>
  async (name: KernelName): Promise<ErasureKernel | undefined> =>
    missing.includes(name) ? undefined : needKernel(name);

/** Leaves the last target as it is. */
function forgetful(kernel: ErasureKernel): ErasureKernel {
  return {
    ...kernel,
    prepare: (combination) => kernel.prepare({ ...combination, rows: combination.rows.slice(0, -1), targets: combination.targets.slice(0, -1) }),
  };
}
