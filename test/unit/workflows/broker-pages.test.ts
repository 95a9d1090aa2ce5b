import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReserveSchema } from '../../../model/broker.ts';
import { letIn } from '../../../model/broker-door.ts';
import { type BrokerState, MOST_ENDED, newBrokerState } from '../../../model/broker-state.ts';
import { FabricSchema, MOST_RESERVATIONS } from '../../../model/fabric.ts';
import { pagesOf, stateOf } from '../../../workflows/broker/pages.ts';

const PAYLOAD_BYTES = 64 * 1024;
const EVENT_BYTES = 2e6;
const LONGEST_ID = 300;

test('the state of the fullest broker goes along in payloads below 64 KiB, and comes back as it was', () => {
  const fabric = FabricSchema.parse({ capacity: '1TB/s', mostReservations: MOST_RESERVATIONS });
  const idOf = (number: number) => String(number).padStart(LONGEST_ID, 'r');
  const later = new Date(Date.UTC(2026, 11, 1)).toISOString();
  const wish = {
    bytes: Number.MAX_SAFE_INTEGER - 1,
    earliest: later,
    class: 'checkpoint',
    leastUsefulRate: 1,
    mostUsefulRate: '1TB/s',
    atRiskSeconds: 1234.5678,
    stores: ['racks', 'warm'],
  };
  let state: BrokerState = newBrokerState(fabric, Date.UTC(2026, 10, 21));
  for (let number = 0; number < MOST_RESERVATIONS; number++) {
    const request = ReserveSchema.parse({ ...wish, requestId: idOf(number), tenant: `${'t'.repeat(60)}${number % 10}` });
    const entered = letIn(state, request);
    assert.ok('state' in entered);
    state = entered.state;
  }
  state = {
    ...state,
    ended: Array.from({ length: MOST_ENDED }, (_, number) => ({ requestId: idOf(number), epoch: state.nextEpoch + number, how: 'released' as const })),
  };
  const pages = pagesOf(state);
  for (const page of pages) assert.ok(JSON.stringify(page).length < PAYLOAD_BYTES, `${JSON.stringify(page).length} bytes of ${page.kind}`);
  assert.ok(JSON.stringify(pages).length < 0.9 * EVENT_BYTES, `${JSON.stringify(pages).length} bytes`);
  assert.deepEqual(stateOf(JSON.parse(JSON.stringify(pages))), state);
});
