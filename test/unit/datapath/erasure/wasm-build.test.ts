import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { it } from 'node:test';
import { assemble, variants, wasmPath } from '../../../../dev/wasm/assemble.ts';

for (const variant of variants) {
  it(`${variant}.wasm is what its source gives, byte for byte`, async () => {
    const committed = await readFile(wasmPath(variant));
    assert.ok(committed.equals(await assemble(variant)), `${wasmPath(variant)} is not current: run \`npm run build:wasm\``);
    assert.ok(WebAssembly.validate(committed));
  });
}
