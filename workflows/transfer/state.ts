/** A transfer's state: plain data, carried whole into the next run of the same transfer. */
import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { OpenedTransfer } from '../../activities/ad-hoc.ts';
import { shortLocation } from '../../model/location.ts';
import type { ManifestRef } from '../../model/manifest.ts';
import { etaSeconds, type Reason } from '../../model/readiness.ts';
import { phaseAttribute, tenantAttribute } from '../../model/search-attributes.ts';
import type { Counts, Foreseen, MoveRequest, UnitAnswer, UnitProgress } from '../../model/transfer.ts';
import { renderTransfer } from '../../model/transfer-details.ts';
import { type AdHocTransfer, isTransferEnd, type TransferState, type TransferStatus } from '../../model/transfer-input.ts';
import { now } from '../clock.ts';
import { newTurns, type Turns } from '../in-turn.ts';
import { type Left, newWindow, type WindowState } from '../moving.ts';

export interface TransferRecord {
  readonly request: AdHocTransfer;
  state: TransferState;
  /** ISO instants. */
  readonly startedAt: string;
  movingSince?: string;
  endedAt?: string;
  opened?: OpenedTransfer;
  manifest?: ManifestRef;
  /** Of a plan. */
  foreseen?: Foreseen;
  window: WindowState;
  /** Of the whole transfer; null where it has none. */
  limit: number | null;
  /** What is whole at the target of a transfer that was cancelled or failed, as far as it is known. */
  stays?: Counts;
  /** The whole of it, once it is finished. */
  answer?: UnitAnswer;
  moved?: ManifestRef;
  reason?: Reason;
}

/** What belongs to one run only: units under way, as they last told, those that were stopped, and changes of the rate. */
export interface TransferDesk extends Turns {
  readonly flying: Map<number, UnitProgress>;
  readonly stopped: Map<number, Left>;
  /** When a unit last told, as an ISO instant. */
  toldAt?: string;
}

export const newDesk = (): TransferDesk => ({ flying: new Map(), stopped: new Map(), ...newTurns() });

export function newRecord(request: AdHocTransfer): TransferRecord {
  return { request, state: 'checking', startedAt: now(), window: newWindow, limit: request.bytesPerSecond ?? null };
}

/** Enters a state: visible in search attributes, current details and the query at once. */
export function enter(record: TransferRecord, desk: TransferDesk, state: TransferState): void {
  record.state = state;
  if (state === 'moving') record.movingSince ??= now();
  if (isTransferEnd(state)) record.endedAt = now();
  const { tenant } = record.request;
  upsertSearchAttributes([phaseAttribute(state), ...(tenant === undefined ? [] : [tenantAttribute(tenant)])]);
  show(record, desk);
}

export const show = (record: TransferRecord, desk: TransferDesk): void => setCurrentDetails(renderTransfer(statusOf(record, desk)));

/** Constant for the transfer's life, for each lane has its part of the limit. */
export const lanesOf = ({ request, manifest }: TransferRecord): number => Math.max(1, Math.min(request.lanes, manifest?.units ?? request.lanes));

export function moveRequest(record: TransferRecord, manifest: ManifestRef): MoveRequest {
  const { source, target, replace, attributes, symlinks, transferId } = record.request;
  return { manifest, source, target, replace, attributes, symlinks, limit: { transferId, lanes: lanesOf(record) } };
}

export function statusOf(record: TransferRecord, desk: TransferDesk): TransferStatus {
  const { request, manifest, window, moved, endedAt, reason } = record;
  const flying = record.answer ? [] : [...desk.flying.values()];
  const base = { ...(record.answer ?? window), ...record.stays };
  const sum = (field: 'doneFiles' | 'doneBytes' | 'bytesPerSecond') => flying.reduce((total, unit) => total + unit[field], 0);
  const doneBytes = base.bytes + sum('doneBytes');
  const isMoving = record.state === 'moving' && record.limit !== 0;
  const bytesPerSecond = !isMoving ? 0 : desk.toldAt === undefined ? averageRate(record, doneBytes) : sum('bytesPerSecond');
  const progress = { files: manifest?.files ?? 0, bytes: manifest?.bytes ?? 0, doneFiles: base.files + sum('doneFiles'), doneBytes, bytesPerSecond };
  const eta = isMoving ? etaSeconds(progress) : undefined;
  return {
    workflowId: workflowInfo().workflowId,
    transferId: request.transferId,
    state: record.state,
    source: shortLocation(request.source),
    target: shortLocation(request.target),
    ...progress,
    settledFiles: base.files,
    settledBytes: base.bytes,
    ...(eta === undefined ? {} : { etaSeconds: eta }),
    ...(record.state === 'moving' && desk.toldAt !== undefined ? { heardAt: desk.toldAt } : {}),
    units: manifest?.units ?? 0,
    doneUnits: Math.max(0, window.nextUnit - desk.flying.size),
    lanes: lanesOf(record),
    limit: record.limit,
    failedCount: base.failedCount,
    failed: base.failed,
    startedAt: record.startedAt,
    ...(endedAt ? { endedAt } : {}),
    ...(reason ? { reason } : {}),
    ...(manifest ? { manifest } : {}),
    ...(moved ? { moved } : {}),
  };
}

/** From less, a rate is a guess. */
const KNOWN_AFTER_SECONDS = 10;

/** Where no unit has told its own yet. */
function averageRate({ movingSince }: TransferRecord, doneBytes: number): number {
  const seconds = movingSince === undefined ? 0 : (Date.now() - Date.parse(movingSince)) / 1000;
  return seconds < KNOWN_AFTER_SECONDS ? 0 : Math.round(doneBytes / seconds);
}
