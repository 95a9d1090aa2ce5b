/** The window that a node's writer sends its checkpoint within: on real files, with a broker that answers or does not. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { type AskForBandwidth, openCheckpointWriter, type WrittenCheckpoint } from '../../../client/checkpoint/index.ts';
import type { Lessor } from '../../../datapath/transfer/leased-limiter.ts';
import { type ReserveRequest, ReserveSchema } from '../../../model/broker.ts';
import { answerTo } from '../../../model/broker-planner.ts';
import { newBrokerState } from '../../../model/broker-state.ts';
import { brokered, type SiteFabric, SiteFabricSchema } from '../../../model/fabric.ts';
import { type CheckpointNode, checkpointNode } from '../../support/checkpoint-node.ts';
import { ALLOCATION } from '../../support/checkpoint-places.ts';
import { contentOf } from '../../support/fault-proxy-random.ts';

const { signal } = new AbortController();
const content = contentOf(6_000_000, 'model');
const fabric: SiteFabric = SiteFabricSchema.parse({ capacity: '3MB/s', commits: ['r01'] });

describe('a checkpoint whose rack commits over a fabric', () => {
  let node: CheckpointNode;
  before(async () => {
    node = await checkpointNode({ leastRate: 30_000_000 });
  });
  after(() => node.remove());

  async function write(checkpointId: string, bandwidth?: AskForBandwidth): Promise<{ written: WrittenCheckpoint; milliseconds: number }> {
    const stores = { ...node.stores, site: { ...node.stores.site, fabrics: { rack: fabric } } };
    const began = performance.now();
    const writer = await openCheckpointWriter(stores, { key: { ...ALLOCATION, checkpointId }, nodeId: 'n001', signal, ...(bandwidth ? { bandwidth } : {}) });
    try {
      await writer.addFile('model.bin', Readable.from([content]));
      return { written: await writer.commit(), milliseconds: performance.now() - began };
    } finally {
      await writer.close();
    }
  }

  it('is written within a window of the class checkpoint, which is given back', async () => {
    let state = { ...newBrokerState(brokered(fabric, 1), Date.now()), opensAtMs: 0 };
    const asked: ReserveRequest[] = [];
    const ask = (request: Parameters<typeof answerTo>[1]) => {
      const answered = answerTo(state, request);
      state = answered.state;
      return Promise.resolve(answered.answer);
    };
    const lessor: Lessor = {
      reserve(input) {
        const request = ReserveSchema.parse(input);
        asked.push(request);
        return ask({ kind: 'reserve', nowMs: Date.now(), request });
      },
      renew: (request) => ask({ kind: 'renew', nowMs: Date.now(), request }),
      release: (request) => ask({ kind: 'release', nowMs: Date.now(), request }),
    };
    const { written, milliseconds } = await write('step-1', { lessorOf: () => lessor, bytes: content.length });
    assert.deepEqual([written.withoutWindow, written.record.bytes], [undefined, content.length]);
    assert.deepEqual(
      asked.map(({ class: kind, tenant, bytes }) => [kind, tenant, bytes]),
      [['checkpoint', ALLOCATION.tenant, content.length]],
    );
    // The second chunk waits until the first, of 4 MiB, is paid.
    assert.ok(milliseconds > 1300, `${milliseconds} ms for 6 MB at 3 MB/s`);
    assert.deepEqual(state.reservations, []);
  });

  it('goes on at the least rate where the broker is not reached, and says why', async () => {
    const away = () => Promise.reject(new Error('connection refused'));
    const lessor: Lessor = { reserve: away, renew: away, release: away };
    const { written, milliseconds } = await write('step-2', { lessorOf: () => lessor, bytes: content.length });
    assert.equal(written.withoutWindow, 'the broker does not answer: connection refused');
    assert.ok(milliseconds > 2000 && milliseconds < 6000, `${milliseconds} ms`);
  });

  it('and whose writer asks no broker goes at the least rate from the beginning', async () => {
    const { written, milliseconds } = await write('step-3');
    assert.match(written.withoutWindow ?? '', /asks no broker/);
    assert.ok(milliseconds < 2000, `${milliseconds} ms`);
  });
});
