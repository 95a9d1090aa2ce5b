/** The calls: the six of the specification's table first, then the extensions a client needs. */
import type { Hono } from 'hono';
import { QUERY_OPERATION } from './audit-log.ts';
import { capacity, locate } from './catalog.ts';
import { evictPath } from './eviction.ts';
import { createExport, deleteExport, exportOf, exportsOf, setQos } from './exports.ts';
import { holdings, releaseHoldings } from './holdings.ts';
import { type Call, type Environment, noteThing, readBody, readQuery } from './http.ts';
import type { PrefetchJobs } from './prefetch.ts';
import { createReservation, deleteReservation, renewReservations, reservationOf, reservationsOf } from './reservations.ts';
import {
  AuditQuerySchema,
  acceptPath,
  EvictionSchema,
  ExportRequestSchema,
  OptionalOwnerQuerySchema,
  OwnerQuerySchema,
  PathQuerySchema,
  PrefetchRequestSchema,
  QosSchema,
  ReleaseQuerySchema,
  RenewalSchema,
  ReservationRequestSchema,
  SnapshotRequestSchema,
} from './schemas.ts';
import { deleteSnapshot, type Snapshots, snapshotOf, snapshotsOf } from './snapshots.ts';
import type { Answer, Tier } from './tier.ts';

export interface Parts {
  readonly tier: Tier;
  readonly snapshots: Snapshots;
  readonly prefetchJobs: PrefetchJobs;
}

export function addSpecifiedCalls(http: Hono<Environment>, { tier, snapshots, prefetchJobs }: Parts): void {
  http.post('/exports', async (call) => {
    name(call, 'exports.create');
    return answer(call, await createExport(tier, await readBody(call, ExportRequestSchema)));
  });
  http.get('/catalog', async (call) => {
    name(call, 'catalog.read');
    return call.json(await locate(tier, readQuery(call, PathQuerySchema).path));
  });
  http.post('/snapshots', async (call) => {
    name(call, 'snapshots.create');
    return answer(call, await snapshots.create(await readBody(call, SnapshotRequestSchema)));
  });
  http.post('/dataspace/prefetch', async (call) => {
    name(call, 'prefetch.create');
    return answer(call, await prefetchJobs.create(await readBody(call, PrefetchRequestSchema)));
  });
  http.patch('/exports/:id/qos', async (call) => {
    name(call, 'exports.qos');
    noteThing(call, exportOf(tier, call.req.param('id')));
    return call.json(await setQos(tier, call.req.param('id'), await readBody(call, QosSchema)));
  });
  http.get('/audit/logs', async (call) => {
    name(call, QUERY_OPERATION);
    const { path, after, limit, include } = readQuery(call, AuditQuerySchema);
    const entries = await tier.audit.query({ path: acceptPath(path, 'query'), after, limit, withQueries: include === 'queries' });
    return call.json({ entries });
  });
}

export function addExtensions(http: Hono<Environment>, { tier, snapshots, prefetchJobs }: Parts): void {
  http.get('/exports', (call) => {
    name(call, 'exports.list');
    return call.json({ exports: exportsOf(tier, readQuery(call, OptionalOwnerQuerySchema).owner) });
  });
  http.get('/exports/:id', (call) => thing(call, 'exports.read', exportOf(tier, call.req.param('id'))));
  http.delete('/exports/:id', async (call) => thing(call, 'exports.delete', await deleteExport(tier, call.req.param('id'))));

  http.get('/snapshots', (call) => {
    name(call, 'snapshots.list');
    return call.json({ snapshots: snapshotsOf(tier, readQuery(call, OptionalOwnerQuerySchema).owner) });
  });
  http.get('/snapshots/:id', (call) => thing(call, 'snapshots.read', snapshotOf(tier, call.req.param('id'))));
  http.delete('/snapshots/:id', async (call) => thing(call, 'snapshots.delete', await deleteSnapshot(tier, snapshots, call.req.param('id'))));

  http.get('/dataspace/prefetch/:id', (call) => thing(call, 'prefetch.read', prefetchJobs.get(call.req.param('id'))));

  http.post('/reservations', async (call) => {
    name(call, 'reservations.create');
    return answer(call, await createReservation(tier, await readBody(call, ReservationRequestSchema)));
  });
  http.patch('/reservations', async (call) => {
    name(call, 'reservations.renew');
    const { owner, expiresAt } = await readBody(call, RenewalSchema);
    const reservations = await renewReservations(tier, owner, expiresAt);
    notePaths(
      call,
      reservations.map(({ path }) => path),
    );
    return call.json({ reservations });
  });
  http.get('/reservations', (call) => {
    name(call, 'reservations.list');
    return call.json({ reservations: reservationsOf(tier, readQuery(call, OptionalOwnerQuerySchema).owner) });
  });
  http.get('/reservations/:id', (call) => thing(call, 'reservations.read', reservationOf(tier, call.req.param('id'))));
  http.delete('/reservations/:id', async (call) => thing(call, 'reservations.delete', await deleteReservation(tier, call.req.param('id'))));

  http.post('/evictions', async (call) => {
    name(call, 'files.evict');
    const evicted = await evictPath(tier, await readBody(call, EvictionSchema));
    notePaths(call, [evicted.path]);
    return call.json(evicted);
  });

  http.get('/capacity', async (call) => {
    name(call, 'capacity.read');
    return call.json(await capacity(tier));
  });
  http.get('/holdings', (call) => {
    name(call, 'holdings.read');
    return call.json(holdings(tier, readQuery(call, OwnerQuerySchema).owner));
  });
  http.delete('/holdings', async (call) => {
    name(call, 'holdings.release');
    const { owner, kinds } = readQuery(call, ReleaseQuerySchema);
    const { left, paths } = await releaseHoldings(tier, snapshots, owner, kinds);
    notePaths(call, paths);
    return call.json(left);
  });
}

function name(call: Call, operation: string): void {
  call.var.access.operation = operation;
}

/** Those who ask about a path see every call that touched it, also one that touched several. */
function notePaths(call: Call, paths: readonly string[]): void {
  if (paths.length > 0) call.var.access.paths = paths;
}

function answer<T extends object>(call: Call, { created, value }: Answer<T>): Response {
  return call.json(value, created ? 201 : 200);
}

function thing(call: Call, operation: string, value: { owner: string; path: string }): Response {
  name(call, operation);
  noteThing(call, value);
  return call.json(value);
}
