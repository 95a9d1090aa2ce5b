/** Snapshots: copied under a temporary name, renamed when whole, then recorded; removed on delete and expiry. */
import { randomUUID } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import type { Snapshot } from '../../drivers/hot-tier/port.ts';
import { ApiError, errnoOf } from './api-error.ts';
import { acceptExpiry, acceptPath, type SnapshotInput } from './schemas.ts';
import { copyPointInTime, syncPath } from './snapshot-copy.ts';
import { digestOf, findByKey, live, refuseBeyondLimit, type SnapshotRecord, type State } from './state.ts';
import type { Answer, Tier } from './tier.ts';

const INCOMING_PREFIX = '.incoming-';
const ID_PREFIX = 'snap-';
/** Copies at once: one disk serves them all. */
const COPIES_AT_ONCE = 2;

export interface Snapshots {
  /** Returns when the copy is whole. A repetition joins the copy under way. */
  create(input: SnapshotInput): Promise<Answer<Snapshot>>;
  /** Frees the content of snapshots that the state no longer has. */
  removeContent(ids: Iterable<string>): Promise<void>;
  /** At start: what a crash left, copied but never recorded, or recorded as gone but not removed. */
  removeUnrecorded(): Promise<void>;
}

export function createSnapshots(tier: Tier): Snapshots {
  const copyTurn = pLimit(COPIES_AT_ONCE);
  const underway = new Map<string, { digest: string; result: Promise<Answer<Snapshot>> }>();
  const contentOf = (id: string): string => join(tier.config.snapshotsRoot, id);

  const removeContent = async (ids: Iterable<string>): Promise<void> => {
    for (const id of ids) await rm(contentOf(id), { recursive: true, force: true });
  };

  const copyAndRecord = async (request: SnapshotInput, requestDigest: string): Promise<Answer<Snapshot>> => {
    const id = `${ID_PREFIX}${randomUUID()}`;
    const incoming = join(tier.config.snapshotsRoot, `${INCOMING_PREFIX}${id}`);
    try {
      const copied = await copyPointInTime(tier.config.root, request.path, incoming, tier.stopping);
      await rename(incoming, contentOf(id));
      await syncPath(tier.config.snapshotsRoot);
      const record: SnapshotRecord = { ...request, id, createdAt: new Date(tier.now()).toISOString(), requestDigest, ...copied };
      return await tier.store.transact((state) => {
        refuseBeyondLimit('snapshots', state.snapshots);
        return { state: { ...state, snapshots: [...state.snapshots, record] }, result: { created: true, value: render(tier, record) } };
      });
    } catch (error) {
      await rm(incoming, { recursive: true, force: true });
      await removeContent([id]);
      if (errnoOf(error) !== 'ENOSPC') throw error;
      throw new ApiError('insufficient_capacity', `no room to snapshot ${request.path}; release snapshots that are no longer needed`);
    }
  };

  return {
    async create(input) {
      const request = { ...input, path: acceptPath(input.path, 'data') };
      const digest = digestOf(request);
      const known = findByKey(live(tier.store.current().snapshots, tier.now()), request, digest);
      if (known) return { created: false, value: render(tier, known) };
      acceptExpiry(request.expiresAt, tier.now());
      const slot = JSON.stringify([request.owner, request.key]);
      const running = underway.get(slot);
      if (running) {
        findByKey([{ ...request, requestDigest: running.digest }], request, digest);
        return { ...(await running.result), created: false };
      }
      refuseBeyondLimit('snapshots', [...tier.store.current().snapshots, ...underway.keys()]);
      const result = copyTurn(() => copyAndRecord(request, digest)).finally(() => underway.delete(slot));
      underway.set(slot, { digest, result });
      return result;
    },
    removeContent,
    async removeUnrecorded() {
      const recorded = new Set(tier.store.current().snapshots.map((each) => each.id));
      const names = await readdir(tier.config.snapshotsRoot);
      const ours = names.filter((name) => name.startsWith(INCOMING_PREFIX) || name.startsWith(ID_PREFIX));
      await removeContent(ours.filter((name) => !recorded.has(name)));
    },
  };
}

export function snapshotOf(tier: Tier, id: string): Snapshot {
  return render(tier, found(live(tier.store.current().snapshots, tier.now()), id));
}

export function snapshotsOf(tier: Tier, owner: string | undefined): Snapshot[] {
  const held = live(tier.store.current().snapshots, tier.now());
  return held.filter((each) => owner === undefined || each.owner === owner).map((each) => render(tier, each));
}

/** Gone for callers as soon as it is recorded as gone; a crash before its content is freed is mended at the next start. */
export async function deleteSnapshot(tier: Tier, snapshots: Snapshots, id: string): Promise<Snapshot> {
  const deleted = await tier.store.transact((state) => {
    const record = found(live(state.snapshots, tier.now()), id);
    return { state: withoutSnapshots(state, new Set([id])), result: render(tier, record) };
  });
  await snapshots.removeContent([id]);
  return deleted;
}

export function withoutSnapshots(state: State, ids: ReadonlySet<string>): State {
  return { ...state, snapshots: state.snapshots.filter((each) => !ids.has(each.id)) };
}

function found(held: readonly SnapshotRecord[], id: string): SnapshotRecord {
  const record = held.find((each) => each.id === id);
  if (!record) throw new ApiError('not_found', `there is no snapshot ${JSON.stringify(id)}; it was deleted, has expired or never was`);
  return record;
}

function render(tier: Tier, record: SnapshotRecord): Snapshot {
  const { id, requestDigest: _requestDigest, ...rest } = record;
  return { snapshotId: id, ...rest, contentPath: join(tier.config.snapshotsRoot, id) };
}
