/** The cold tier's emulator as a process. */
import { runEmulator } from '../run-emulator.ts';
import { ColdTierConfigSchema } from './config.ts';
import { startColdTierEmulator } from './emulator.ts';

await runEmulator({ folder: 'cold-tier-emulator', schema: ColdTierConfigSchema, secrets: /Key$/, start: (config) => startColdTierEmulator(config) });
