/** The hot tier's emulator as a process of its own in a directory of its own, and a client to it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { EmulatorConfig } from '../../dev/hot-tier-emulator/config.ts';
import type { HotTier } from '../../drivers/hot-tier/port.ts';
import { createVastContractHotTier } from '../../drivers/hot-tier/vast-contract.ts';
import { type HotTierHarness, TEST_TIER } from './hot-tier-contract.ts';

const MAIN = join(import.meta.dirname, '../../dev/hot-tier-emulator/main.ts');
export const TOKEN = 'a-token-for-tests-only';

export interface EmulatorProcess extends HotTierHarness {
  readonly directory: string;
  readonly config: EmulatorConfig;
  readonly url: string;
  /** A client with another token. */
  clientWith(token: string): HotTier;
  kill(): Promise<void>;
  /** After {@link kill}: on the same directory and port. */
  restart(): Promise<void>;
}

export async function testConfig(): Promise<{ directory: string; config: EmulatorConfig }> {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-hot-tier-'));
  const within = (name: string): string => join(directory, name);
  const config = {
    port: 0,
    root: within('tree'),
    snapshotsRoot: within('snapshots'),
    originRoot: within('origin'),
    stateFile: within('state.json'),
    token: TOKEN,
    ...TEST_TIER,
    s3Endpoint: 'http://127.0.0.1:9',
    nfs: { address: '127.0.0.1', port: 2049, pseudoPath: '/hot' },
  };
  return { directory, config };
}

export async function startEmulatorProcess(): Promise<EmulatorProcess> {
  const { directory, config } = await testConfig();
  const configFile = join(directory, 'config.json');
  await writeFile(configFile, JSON.stringify(config));
  let { child, url } = await spawnReady(configFile);
  await writeFile(configFile, JSON.stringify({ ...config, port: Number(new URL(url).port) }));
  const clientWith = (token: string): HotTier => createVastContractHotTier({ name: 'hot', endpoint: url, token });
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return {
    ...treeAccess(config),
    directory,
    config,
    url,
    tier: clientWith(TOKEN),
    clientWith,
    kill,
    async restart() {
      ({ child, url } = await spawnReady(configFile));
    },
    async close() {
      await kill();
      await rm(directory, { recursive: true });
    },
  };
}

/** Files as the tier's clients, its origin and movers see them. */
export function treeAccess(config: EmulatorConfig): Pick<HotTierHarness, 'writeHot' | 'readHot' | 'writeOrigin' | 'linkHot' | 'readContent'> {
  const write = async (file: string, content: Buffer | string): Promise<void> => {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  };
  const read = (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(() => undefined);
  return {
    writeHot: (path, content) => write(join(config.root, path), content),
    writeOrigin: (path, content) => write(join(config.originRoot, path), content),
    readHot: (path) => read(join(config.root, path)),
    readContent: (contentPath, name) => read(join(contentPath, name)),
    async linkHot(path, target) {
      await mkdir(dirname(join(config.root, path)), { recursive: true });
      await symlink(target, join(config.root, path));
    },
  };
}

async function spawnReady(configFile: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [MAIN, '--config', configFile], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = /^ready (http:\S+)$/.exec(line);
    if (ready?.[1]) return { child, url: ready[1] };
  }
  throw new Error('the emulator ended before it was ready');
}
