/**
 * A worker process: `workers/main.ts --site FILE --role control|data [--metrics ADDRESS:PORT]`. Prints `ready` when every queue is polled; metrics are served for
 * Prometheus where an address is given.
 */
import { parseArgs } from 'node:util';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { sealUntil } from '../activities/audit-seal.ts';
import { erasureKernelFacts } from '../activities/erasure-kernel.ts';
import { openStores } from '../drivers/open-site.ts';
import { loadSiteFile } from '../drivers/site-file.ts';
import { auditInterceptors } from './audit.ts';
import { spoolTeller } from './audit-spool.ts';
import { watchErasure } from './erasure-metrics.ts';
import { createWorkerLogger } from './logger.ts';
import { recordErasureKernel } from './metrics.ts';
import { isRole, roles, workerPlans } from './roles.ts';
import { ensureSchedules } from './schedules.ts';

const { values } = parseArgs({ options: { site: { type: 'string' }, role: { type: 'string' }, metrics: { type: 'string' } } });
if (!values.site || !isRole(values.role)) {
  process.stderr.write(`usage: workers/main.ts --site FILE --role ${roles.join('|')} [--metrics ADDRESS:PORT]\n`);
  process.exit(2);
}

const site = await loadSiteFile(values.site);
const metrics = values.metrics ? { telemetryOptions: { metrics: { prometheus: { bindAddress: values.metrics } } } } : {};
const runtime = Runtime.install({ logger: createWorkerLogger(values.role), ...metrics });
if (values.role === 'data') {
  const kernel = await erasureKernelFacts();
  runtime.logger.info('erasure kernel chosen', { ...kernel });
  recordErasureKernel(runtime.metricMeter, kernel);
}
const connection = await NativeConnection.connect({ address: site.temporal.address });
if (values.role === 'control') await ensureSchedules(connection, site.temporal.namespace);
const stores = await openStores(site);
const plans = await workerPlans(values.role, stores);
const interceptors = await auditInterceptors(stores, values.role, spoolTeller(runtime.metricMeter, runtime.logger));
const stopWatching = values.metrics
  ? watchErasure(runtime.metricMeter, stores, (error) => runtime.logger.warn('the record of the erasure set cannot be read for the metrics', { error }))
  : undefined;
const workers = await Promise.all(
  plans.map((plan) =>
    Worker.create({ connection, namespace: site.temporal.namespace, shutdownGraceTime: '10 seconds', shutdownForceTime: '30 seconds', interceptors, ...plan }),
  ),
);
// Runtime handles SIGTERM and SIGINT: workers stop polling, running activities get their grace, then run() resolves.
const running = workers.map((worker) => worker.run());
process.stdout.write('ready\n');
const ending = new AbortController();
const onError = (error: unknown): void => runtime.logger.error('the audit log cannot be sealed', { error });
const sealing = values.role === 'control' && site.audit ? sealUntil(stores, { signal: ending.signal, onError }) : undefined;
try {
  await Promise.all(running);
} finally {
  ending.abort();
  await sealing;
  stopWatching?.();
  await connection.close();
}
