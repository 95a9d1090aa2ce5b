/** What a broker has said to whom, kept outside of it: no lease is lost, none is there twice, and who falls silent has none. */
import assert from 'node:assert/strict';
import type { Standing } from '../../../model/broker.ts';
import type { BrokerChange, BrokerRequest } from '../../../model/broker-planner.ts';
import { silenceMs } from '../../../model/broker-state.ts';
import { fabric } from '../../support/broker-crowd.ts';

interface Lease {
  readonly epoch: number;
  /** When the broker last heard of its holder. */
  heardMs: number;
  isReleased: boolean;
}
type State = 'unknown' | 'held' | 'released' | 'lapsed';

export interface BrokerOracle {
  /** @throws where the answer breaks a promise */
  heard(event: BrokerRequest | BrokerChange, answer?: Standing): void;
  /** Another broker of the fabric begins: it knows no lease, and gives no epoch again. */
  ended(): void;
  /** Of those that are held now. */
  held(nowMs: number): readonly string[];
}

export function createBrokerOracle(): BrokerOracle {
  const leases = new Map<string, Lease>();
  const owners = new Map<number, string>();

  const stateOf = (lease: Lease | undefined, nowMs: number): State => {
    if (!lease) return 'unknown';
    if (lease.isReleased) return 'released';
    return nowMs < lease.heardMs + silenceMs(fabric) ? 'held' : 'lapsed';
  };

  function heardReserve(requestId: string, nowMs: number, answer: Standing): void {
    const lease = leases.get(requestId);
    const state = stateOf(lease, nowMs);
    if (state === 'released' || state === 'lapsed') {
      assert.ok(answer.kind === 'refused' && answer.reason === 'RequestIdUsed', `${requestId} was ${state} and is begun anew: ${answer.kind}`);
      return;
    }
    if (state === 'held') assert.ok('epoch' in answer && answer.epoch === lease?.epoch, `${requestId} is held, and a repeat is answered ${answer.kind}`);
    if (!('epoch' in answer)) return;
    assert.equal(owners.get(answer.epoch) ?? requestId, requestId, `epoch ${answer.epoch} was given twice`);
    owners.set(answer.epoch, requestId);
    leases.set(requestId, { epoch: answer.epoch, heardMs: nowMs, isReleased: false });
  }

  function heardHolder(kind: 'renew' | 'release', { requestId, epoch }: { requestId: string; epoch: number }, nowMs: number, answer: Standing): void {
    const lease = leases.get(requestId);
    const state = lease?.epoch === epoch ? stateOf(lease, nowMs) : 'unknown';
    const isSaid = state === 'held' || (state === 'released' && kind === 'release');
    if (!isSaid || !lease) {
      assert.equal(answer.kind, 'lost', `${requestId} has no lease of epoch ${epoch} (${state}), and its ${kind} is answered ${answer.kind}`);
      return;
    }
    if (kind === 'release') {
      assert.equal(answer.kind, 'released', `${requestId} releases what it ${state === 'held' ? 'holds' : 'released before'}`);
      lease.isReleased = true;
      return;
    }
    assert.ok('epoch' in answer && answer.epoch === epoch, `the renewal of ${requestId}, which holds its lease, is answered ${answer.kind}`);
    lease.heardMs = nowMs;
  }

  return {
    heard(event, answer) {
      if (!answer) return;
      if (event.kind === 'reserve') heardReserve(event.request.requestId, event.nowMs, answer);
      else if (event.kind === 'renew' || event.kind === 'release') heardHolder(event.kind, event.request, event.nowMs, answer);
    },
    ended: () => leases.clear(),
    held: (nowMs) => [...leases].flatMap(([requestId, lease]) => (stateOf(lease, nowMs) === 'held' ? [requestId] : [])),
  };
}
