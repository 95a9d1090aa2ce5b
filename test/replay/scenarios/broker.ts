/** A broker's windows: begun, granted, renewed, given back, left to lapse, paused; and over two runs under load. */
import { setTimeout as pause } from 'node:timers/promises';
import { brokerWorkflowId, type ReserveInput } from '../../../model/broker.ts';
import type { BrokerOverview } from '../../../model/broker-overview.ts';
import { queryNames, updateNames } from '../../../model/messages.ts';
import { runsOf } from '../../support/histories.ts';
import { eventually } from '../../support/wait.ts';
import { closed, type Scenario } from '../scenario.ts';

const FABRIC = 'storage';
const drain = (requestId: string): ReserveInput => ({ requestId, bytes: '1GB', class: 'drain', tenant: 'acme', leastUsefulRate: '1MB/s' });

export const brokered: Scenario = {
  site: 'brokered',
  saves: ['broker/running', 'broker/before-continue-as-new', 'broker/continued'],
  async run(site, save) {
    const { brokers } = site.penstock;
    const id = brokerWorkflowId(FABRIC);
    await brokers.show(FABRIC);
    const { runId } = await site.temporal.workflow.getHandle(id).describe();
    let window = await brokers.reserve(FABRIC, drain('first'));
    while (window.kind === 'queued') {
      await pause(window.renewMilliseconds);
      window = await brokers.renew(FABRIC, window);
    }
    if (window.kind !== 'window') throw new Error(`no window but ${JSON.stringify(window)}`);
    await brokers.renew(FABRIC, window);
    await brokers.reserve(FABRIC, drain('silent'));
    await brokers.pause(FABRIC);
    await brokers.resume(FABRIC);
    await brokers.release(FABRIC, window);
    await eventually('the silent one to lapse', async () =>
      (await site.temporal.workflow.getHandle(id).query<BrokerOverview>(queryNames.brokerState)).classes.every((each) => each.holding + each.waiting === 0)
        ? true
        : undefined,
    );
    await save('broker/running', id, { runId });

    for (let number = 0; (await site.temporal.workflow.getHandle(id).describe()).runId === runId; number++) {
      await Promise.all(Array.from({ length: 8 }, (_, lane) => brokers.reserve(FABRIC, drain(`many-${number}-${lane}`))));
    }
    const [first] = await runsOf(site.temporal, id, runId);
    if (!first || !closed(first.events)) throw new Error('the broker did not continue as new');
    await save('broker/before-continue-as-new', id, { runId: first.runId, when: closed });
    await brokers.reserve(FABRIC, drain('afterwards'));
    await save('broker/continued', id, { when: (events) => events.some((event) => event.workflowExecutionUpdateCompletedEventAttributes) });
  },
};

/** A store fails a holder, is asked, does not answer, and answers later; and one that answers at once. */
export const storeOut: Scenario = {
  site: 'brokered',
  saves: ['broker/store-out', 'broker/store-back', 'broker/store-out-continued'],
  async run(site, save) {
    const { brokers } = site.penstock;
    const id = brokerWorkflowId(FABRIC);
    const suspect = () => site.temporal.workflow.getHandle(id).executeUpdate<void, [unknown]>(updateNames.suspectStores, { args: [{ stores: ['racks'] }] });
    const isOut = async () => ((await brokers.show(FABRIC)).outages ?? []).some(({ answersSince }) => answersSince === undefined);
    const untilOut = () => eventually('the racks to be out', async () => ((await isOut()) ? true : undefined));
    await brokers.show(FABRIC);
    const { runId } = await site.temporal.workflow.getHandle(id).describe();
    await brokers.reserve(FABRIC, { ...drain('holder'), stores: ['racks'] });
    const gateway = site.running.service('s3-racks');
    await gateway.kill('SIGKILL');
    await suspect();
    await untilOut();
    await save('broker/store-out', id);
    await gateway.restart();
    await eventually('the racks to answer', async () => ((await isOut()) ? undefined : true));
    await brokers.reserve(FABRIC, { ...drain('afterwards-of-outage'), stores: ['racks'] });
    await save('broker/store-back', id);

    await gateway.kill('SIGKILL');
    // Who has answered just now is not asked at once.
    await eventually('the racks to be out again', async () => {
      await suspect();
      return (await isOut()) ? true : undefined;
    });
    for (let number = 0; (await site.temporal.workflow.getHandle(id).describe()).runId === runId; number++) {
      await Promise.all(Array.from({ length: 8 }, (_, lane) => brokers.reserve(FABRIC, drain(`more-${number}-${lane}`))));
    }
    await eventually('the next run to ask on', async () => ((await isOut()) ? true : undefined));
    await gateway.restart();
    await eventually('the racks to answer again', async () => ((await isOut()) ? undefined : true));
    await save('broker/store-out-continued', id);
  },
};
