/** `node dev/cold-tier-emulator/main.ts --config FILE.json`; says "ready URL" on standard output when it listens. */
import { parseArgs } from 'node:util';
import { readConfig } from './config.ts';
import { startColdTierEmulator } from './emulator.ts';

const { values } = parseArgs({ options: { config: { type: 'string' } } });
if (values.config === undefined) {
  console.error('usage: node dev/cold-tier-emulator/main.ts --config FILE.json');
  process.exit(2);
}
const emulator = await startColdTierEmulator(await readConfig(values.config));
console.log(`ready ${emulator.url}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void emulator.close().then(() => process.exit(0)));
}
