/** `npm run build:wasm`: assembles the erasure kernel. What it writes is committed, and held current by test/unit/datapath/erasure/wasm-build.test.ts. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assemble, variants, wasmPath } from './assemble.ts';

const repository = join(import.meta.dirname, '..', '..');

for (const variant of variants) {
  const bytes = await assemble(variant);
  await writeFile(join(repository, wasmPath(variant)), bytes);
  process.stdout.write(`${wasmPath(variant)}: ${bytes.length} bytes\n`);
}
