/**
 * What zod costs inside workflows, for docs/decisions/0001-zod-in-workflows.md: `node_modules/.bin/node --expose-gc docs/tools/measure-zod.ts`.
 * The SDK evaluates a bundle's modules again for each cached workflow, in one shared V8 context; so does this, once with zod and once
 * with an empty stand-in for it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { createContext, Script } from 'node:vm';
import { bundleWorkflowCode } from '@temporalio/worker';

const WORKFLOWS = 200;
/** Answers every call and property with itself: `z.string().regex(...)` runs, and does nothing. */
const STAND_IN = `const any = new Proxy(function () {}, { get: (target, name) => name === Symbol.toPrimitive ? () => '' : name === '__esModule' ? true : any, apply: () => any, construct: () => any });
module.exports = any;`;
const modelPath = (file: string) => fileURLToPath(new URL(`../../model/${file}`, import.meta.url));
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, log() {} };

const directory = await mkdtemp(join(tmpdir(), 'penstock-measure-'));
try {
  const standIn = join(directory, 'zod.cjs');
  await writeFile(standIn, STAND_IN);
  const asIs = await measure({});
  const shared = await measure({ preloadModules: [modelPath('allocation.ts')] });
  const without = await measure({ standIn });
  for (const [name, unit] of [
    ['bundleKiB', 'KiB of code'],
    ['compileMs', 'ms to compile and load once'],
    ['millisecondsEach', 'ms per cached workflow'],
    ['kibEach', 'KiB of heap per cached workflow'],
  ] as const) {
    const [a, b, c] = [asIs, shared, without].map((each) => each[name].toFixed(1).padStart(8));
    process.stdout.write(`${a} as it is, ${b} with model/allocation.ts in preloadModules, ${c} without zod  ${unit}\n`);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function measure({ standIn, preloadModules = [] }: { standIn?: string; preloadModules?: string[] }) {
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    logger: silent,
    preloadModules,
    ...(standIn ? { webpackConfigHook: (config) => ({ ...config, resolve: { ...config.resolve, alias: { ...config.resolve?.alias, zod$: standIn } } }) } : {}),
  });
  const source = code.split('//# sourceMappingURL')[0] ?? code;
  let preloaded = new Map<PropertyKey, unknown>();
  let modules = new Map<PropertyKey, unknown>();
  const cache = new Proxy({}, { get: (_, key) => preloaded.get(key) ?? modules.get(key), set: (_, key, value) => Boolean(modules.set(key, value)) });
  const context = createContext({ __webpack_module_cache__: cache, TextEncoder, TextDecoder, AbortController, console });
  const begun = performance.now();
  new Script(source).runInContext(context);
  new Script('__TEMPORAL__.preloadModules?.()').runInContext(context);
  preloaded = modules;
  modules = new Map();
  const load = new Script('__TEMPORAL__.importWorkflows()');
  load.runInContext(context);
  const compileMs = performance.now() - begun;

  const kept: unknown[] = [];
  const heapBefore = heapBytes();
  const started = performance.now();
  for (let index = 0; index < WORKFLOWS; index++) {
    modules = new Map();
    load.runInContext(context);
    kept.push(modules);
  }
  const millisecondsEach = (performance.now() - started) / WORKFLOWS;
  return { bundleKiB: source.length / 1024, compileMs, millisecondsEach, kibEach: (heapBytes() - heapBefore) / kept.length / 1024 };
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
