/** The hot tier's emulator as a process. */
import { runEmulator } from '../run-emulator.ts';
import { EmulatorConfigSchema } from './config.ts';
import { startHotTierEmulator } from './emulator.ts';

await runEmulator({ folder: 'hot-tier-emulator', schema: EmulatorConfigSchema, secrets: /^token$/, start: (config) => startHotTierEmulator(config) });
