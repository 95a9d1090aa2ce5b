/**
 * Pictures of the Temporal UI for docs/images. To take them again:
 *
 *     npm start -- --keep
 *     node_modules/.bin/node dev/screenshot.ts --directory .penstock/demo
 *     npx penstock site down --directory .penstock/demo
 *
 * `chromium` must be on the PATH. It submits some more allocations to the site, so that the list shows several phases; they are
 * left as they are, for the next start begins with an empty site. Nothing else uses this file.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import * as z from 'zod';
import { type AllocationInput, type AllocationKey, allocationWorkflowId, connectPenstock, type Penstock } from '../client/index.ts';
import { loadSiteFile } from '../drivers/site-file.ts';
import { siteStatus } from './site/background.ts';

const WIDTH = 1600;
/** The UI draws for a while after its page has loaded, and visibility lags by a second. */
const SETTLE_MS = 6000;
const COLUMNS = ['Status', 'Workflow ID', 'tenant', 'project', 'phase', 'rack', 'Start'];

const { values } = parseArgs({ options: { directory: { type: 'string', default: '.penstock/demo' }, images: { type: 'string', default: 'docs/images' } } });
const { phase, state } = await siteStatus(values.directory);
if (phase !== 'up' || !state?.uiUrl) throw new Error(`no site is up in ${values.directory}: run npm start -- --keep`);
const { temporal, nodes } = await loadSiteFile(state.siteFile);
const connection = await Connection.connect({ address: temporal.address });
const penstock = await connectPenstock({ address: temporal.address, namespace: temporal.namespace });
const [demo] = await penstock.list({ phase: 'released', limit: 1 });
if (!demo) throw new Error('the site has no released allocation: run npm start -- --keep');
await addAllocations(penstock);

const client = new Client({ connection, namespace: temporal.namespace });
const { runId, workflowId } = await client.workflow.getHandle(allocationWorkflowId(demo)).describe();
const workflows = `${state.uiUrl}/namespaces/${temporal.namespace}/workflows`;
const demoPage = `${workflows}/${encodeURIComponent(workflowId)}/${runId}`;
const onlyAllocations = encodeURIComponent('`WorkflowType`="allocation"');
const browser = await startBrowser();
try {
  await browser.picture('temporal-ui-allocation.png', `${demoPage}/history`, 1400, 'Minimized');
  await browser.picture('temporal-ui-details.png', `${demoPage}/user-metadata`, 1100);
  await browser.picture('temporal-ui-list.png', `${workflows}?query=${onlyAllocations}`, 600);
} finally {
  await browser.close();
  await penstock.close();
  await connection.close();
}

/** One failed, one ready, one running and one cancelled. */
async function addAllocations({ submit, wait, readiness, assignNodes, cancel }: Penstock): Promise<void> {
  const input = (tenant: string, project: string, allocationId: string, prefix = 'packages/@aws-sdk'): AllocationInput => ({
    ...{ tenant, project, allocationId, user: 'ada' },
    data: { mounts: [{ source: `s3://training-data/${prefix}`, target: '/data/input', bandwidth_floor: '100MB/s' }] },
  });
  const submitReady = async (request: AllocationInput): Promise<AllocationKey> => {
    await submit(request);
    while ((await readiness(request)).state !== 'ready') await pause(500);
    return request;
  };
  const typo = input('zephyr', 'climate', 'ensemble-007', 'pakcages');
  await submit(typo);
  await wait(typo).catch(() => undefined);
  await submitReady(input('zephyr', 'climate', 'ensemble-008'));
  const running = await submitReady(input('acme', 'vision', 'train-041'));
  await assignNodes(running, { nodes: nodes.slice(-1).map(({ id, rackId, features }) => ({ nodeId: id, rackId, features })) });
  await cancel(await submitReady(input('acme', 'vision', 'train-040')), { mode: 'drain', reason: 'superseded by train-041' });
}

/** Chromium, driven over its own protocol: `--screenshot` alone can neither choose columns nor unfold the timeline. */
async function startBrowser() {
  const profile = await mkdtemp(join(tmpdir(), 'penstock-screenshot-'));
  const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic'];
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', ...quiet, '--remote-debugging-port=0', `--user-data-dir=${profile}`];
  const chromium = spawn('chromium', [...flags, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => chromium.once('exit', resolve));
  const origin = await debuggerOrigin(createInterface(chromium.stderr));
  const targets = z.array(z.object({ type: z.string(), webSocketDebuggerUrl: z.string() }));
  const [page] = targets.parse(await (await fetch(`${origin}/json`)).json()).filter(({ type }) => type === 'page');
  if (!page) throw new Error('chromium has no page');
  const send = await openProtocol(page.webSocketDebuggerUrl);
  const columns = JSON.stringify(JSON.stringify({ [temporal.namespace]: COLUMNS.map((label) => ({ label })) }));
  await send('Page.enable', {});
  await send('Page.addScriptToEvaluateOnNewDocument', { source: `localStorage.setItem('namespace-workflow-table-columns', ${columns})` });

  return {
    async picture(name: string, url: string, height: number, button?: string): Promise<void> {
      await send('Emulation.setDeviceMetricsOverride', { width: WIDTH, height, deviceScaleFactor: 1, mobile: false });
      await send('Page.navigate', { url });
      await pause(SETTLE_MS);
      if (button) {
        const expression = `[...document.querySelectorAll('button')].find((each) => each.textContent.includes('${button}'))?.click()`;
        await send('Runtime.evaluate', { expression });
        await pause(SETTLE_MS / 2);
      }
      const { data } = z.object({ data: z.string() }).parse(await send('Page.captureScreenshot', { format: 'png' }));
      await writeFile(join(values.images, name), Buffer.from(data, 'base64'));
      process.stdout.write(`${join(values.images, name)}\n`);
    },
    async close(): Promise<void> {
      chromium.kill();
      await ended;
      await rm(profile, { recursive: true, force: true });
    },
  };
}

async function debuggerOrigin(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    const address = /DevTools listening on ws:\/\/([^/]+)\//.exec(line)?.[1];
    if (address) return `http://${address}`;
  }
  throw new Error('chromium did not start');
}

async function openProtocol(address: string): Promise<(method: string, params: object) => Promise<unknown>> {
  const socket = new WebSocket(address);
  const answers = new Map<number, (result: unknown) => void>();
  const MessageSchema = z.object({ id: z.number().optional(), result: z.unknown().optional() });
  socket.addEventListener('message', (event) => {
    const { id, result } = MessageSchema.parse(JSON.parse(String(event.data)));
    if (id !== undefined) answers.get(id)?.(result);
  });
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
  let last = 0;
  return (method, params) => {
    const id = ++last;
    socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => answers.set(id, resolve));
  };
}
