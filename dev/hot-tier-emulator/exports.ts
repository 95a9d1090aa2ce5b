/** Exports: a path that clients reach until it expires, with a floor that the tier's bandwidth really covers. */
import { randomUUID } from 'node:crypto';
import type { Export } from '../../drivers/hot-tier/port.ts';
import { floorBudget } from './admission.ts';
import { ApiError } from './api-error.ts';
import type { EmulatorConfig } from './config.ts';
import { steps } from './paths.ts';
import { acceptExpiry, acceptPath, type ExportInput, type Qos } from './schemas.ts';
import { digestOf, type ExportRecord, findByKey, live, refuseBeyondLimit, type State } from './state.ts';
import type { Answer, Tier } from './tier.ts';
import { locateFile, openDirectory } from './tree.ts';

export async function createExport(tier: Tier, input: ExportInput): Promise<Answer<Export>> {
  const request = { ...input, path: acceptPath(input.path, 'data') };
  const requestDigest = digestOf(request);
  return tier.store.transact<Answer<Export>>(async (state) => {
    const now = tier.now();
    const held = live(state.exports, now);
    const known = findByKey(held, request, requestDigest);
    if (known) return { state, result: { created: false, value: render(tier.config, known) } };
    acceptExpiry(request.expiresAt, now);
    refuseBeyondLimit('exports', state.exports);
    refuseBeyondBandwidth(tier.config, held, request);
    await ensureExportable(tier.config, request);
    const record: ExportRecord = { ...request, id: `exp-${randomUUID()}`, createdAt: new Date(now).toISOString(), requestDigest };
    return { state: { ...state, exports: [...state.exports, record] }, result: { created: true, value: render(tier.config, record) } };
  });
}

export async function setQos(tier: Tier, id: string, qos: Qos): Promise<Export> {
  return tier.store.transact((state) => {
    const held = live(state.exports, tier.now());
    const record = found(held, id);
    const others = held.filter((each) => each.id !== id);
    refuseBeyondBandwidth(tier.config, others, { access: record.access, qos });
    const changed = { ...record, qos };
    const exports = state.exports.map((each) => (each.id === id ? changed : each));
    return { state: { ...state, exports }, result: render(tier.config, changed) };
  });
}

export function exportOf(tier: Tier, id: string): Export {
  return render(tier.config, found(live(tier.store.current().exports, tier.now()), id));
}

export function exportsOf(tier: Tier, owner: string | undefined): Export[] {
  const held = live(tier.store.current().exports, tier.now());
  return held.filter((each) => owner === undefined || each.owner === owner).map((each) => render(tier.config, each));
}

export async function deleteExport(tier: Tier, id: string): Promise<Export> {
  return tier.store.transact((state) => {
    const record = found(live(state.exports, tier.now()), id);
    return { state: withoutExports(state, new Set([id])), result: render(tier.config, record) };
  });
}

export function withoutExports(state: State, ids: ReadonlySet<string>): State {
  return { ...state, exports: state.exports.filter((each) => !ids.has(each.id)) };
}

function found(held: readonly ExportRecord[], id: string): ExportRecord {
  const record = held.find((each) => each.id === id);
  if (!record) throw new ApiError('not_found', `there is no export ${JSON.stringify(id)}; it was revoked, has expired or never was`);
  return record;
}

function refuseBeyondBandwidth(config: EmulatorConfig, held: readonly ExportRecord[], wanted: Pick<ExportRecord, 'access' | 'qos'>): void {
  const floors = held.map((each) => ({ access: each.access, floorBytesPerSecond: each.qos.floorBytesPerSecond }));
  const budget = floorBudget(wanted.access, floors, config);
  const floor = wanted.qos.floorBytesPerSecond;
  // A floor of nothing is granted even where a smaller configuration has left the tier oversubscribed.
  if (floor === 0 || floor <= budget.freeBytesPerSecond) return;
  throw new ApiError(
    'floor_exceeds_capacity',
    `a floor of ${floor} bytes per second does not fit: ${budget.freeBytesPerSecond} of ${budget.limitBytesPerSecond} are free for ${budget.direction}ing ` +
      `(${budget.grantedBytesPerSecond} granted to live exports); ask for less or wait until others give back`,
  );
}

/** A writable export makes its directory. A read-only one of something that nobody knows would show a job an empty data set, so it is refused. */
async function ensureExportable(config: EmulatorConfig, { path, access }: Pick<ExportRecord, 'path' | 'access'>): Promise<void> {
  const file = await locateFile(config.root, path);
  await file?.parent.close();
  if (file) {
    throw new ApiError('invalid_input', `${path} is a file; export the directory it lies in`, [{ path: 'path', found: 'a file', expected: 'a directory' }]);
  }
  const origin = access === 'read-only' ? await openDirectory(config.originRoot, path) : undefined;
  await origin?.close();
  const directory = await openDirectory(config.root, path, { create: access === 'read-write' || origin !== undefined });
  await directory?.close();
  if (!directory) throw new ApiError('not_found', `${path} is neither on the tier nor at its origin; stage it or check its name`);
}

function nfsPath(nfs: NonNullable<EmulatorConfig['nfs']>, record: ExportRecord): string {
  return nfs.control ? `/exports/${record.id}` : `${nfs.pseudoPath.replace(/\/+$/, '')}${record.path}`;
}

function render(config: EmulatorConfig, record: ExportRecord): Export {
  const { id, createdAt: _createdAt, requestDigest: _requestDigest, ...request } = record;
  const [bucket = '', ...prefix] = steps(record.path);
  return {
    exportId: id,
    ...request,
    ...(config.nfs && { nfs: { address: config.nfs.address, port: config.nfs.port, path: nfsPath(config.nfs, record) } }),
    s3: { endpoint: config.s3Endpoint, bucket, prefix: prefix.join('/') },
  };
}
