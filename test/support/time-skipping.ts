/** The time-skipping test server: years in seconds, timers only. Everything else is tested on the real dev server. */
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { resolveTool } from '../../dev/toolchain/resolve-tool.ts';
import { bundleWorkflows } from '../../workers/bundle.ts';
import { eventually } from './wait.ts';

const searchAttributes = { tenant: 2, project: 2, allocationId: 2, phase: 2, sensitivity: 2, rack: 7 } as const; // 2: keyword, 7: keyword list

/** The server's clock is one for all workflows in it: one environment, one test at a time. */
export async function startTimeSkipping(): Promise<TestWorkflowEnvironment> {
  const { path } = await resolveTool('test-server', { log: () => undefined });
  const environment = await eventually('the time-skipping server', () =>
    // The SDK gives it five seconds, and a JVM on a busy machine may need more; what has been read from disk for it once is faster the next time.
    TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } }),
  );
  await environment.connection.operatorService.addSearchAttributes({ namespace: 'default', searchAttributes });
  return environment;
}

/** Stand-ins for activities, for what is tested here is when they are called; their effects are tested on the real site. */
export async function withWorkers<T>(environment: TestWorkflowEnvironment, byQueue: Readonly<Record<string, object>>, work: () => Promise<T>): Promise<T> {
  const workflowBundle = await bundleWorkflows();
  const workers = await Promise.all(
    Object.entries(byQueue).map(([taskQueue, activities]) =>
      Worker.create({ connection: environment.nativeConnection, taskQueue, activities, ...(taskQueue === 'control' ? { workflowBundle } : {}) }),
    ),
  );
  const [first, ...rest] = workers;
  if (!first) throw new TypeError('at least one queue is needed');
  const nested = rest.reduce<() => Promise<T>>((inner, worker) => () => worker.runUntil(inner), work);
  return first.runUntil(nested);
}
