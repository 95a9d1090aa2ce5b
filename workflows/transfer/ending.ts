/** How a transfer is cancelled or fails: what stays at the target, as far as it is known, and what is said of it. */
import { formatBytes } from '../../model/quantity.ts';
import type { Reason } from '../../model/readiness.ts';
import type { AbandonAnswer, Counts } from '../../model/transfer.ts';
import type { TransferDesk, TransferRecord } from './state.ts';

export interface Stays extends Counts {
  /** Some mover did not get to say what it leaves, or large files that were published are not counted yet. */
  readonly isAtLeast: boolean;
  readonly unfinished: 'none' | 'given back now' | 'for the sweep';
}

/** @param abandoned what was found when large files were given back; 'next' before, undefined where that failed, 'none' where units share no large files */
export function staysAt({ window, answer }: TransferRecord, { stopped }: TransferDesk, abandoned: AbandonAnswer | 'next' | 'none' | undefined): Stays {
  const lefts = [...stopped.values()];
  const published = typeof abandoned === 'object' && !answer ? abandoned.published : { files: 0, bytes: 0 };
  const sum = (count: 'files' | 'bytes') => lefts.reduce((total, left) => total + (left?.[count] ?? 0), window[count] + published[count]);
  const isToldByAll = lefts.every((left) => left !== undefined);
  const isGivenBack = abandoned === 'none' || (typeof abandoned === 'object' && abandoned.left === 0);
  return {
    files: sum('files'),
    // Shares of large files that were not published have been given back.
    bytes: sum('bytes') - (window.shareBytes ?? 0),
    isAtLeast: abandoned === undefined || abandoned === 'next' || !lefts.every((left) => left?.isAtLeast === false),
    unfinished: abandoned === 'next' ? 'given back now' : isToldByAll && isGivenBack ? 'none' : 'for the sweep',
  };
}

export function cancelledReason({ movingSince }: TransferRecord, { files, bytes, isAtLeast, unfinished }: Stays): Reason {
  const code = 'Cancelled';
  if (movingSince === undefined) return { code, message: 'nothing was moved yet. Start it again to begin anew.' };
  const amount = `${isAtLeast ? 'at least ' : ''}${files} ${files === 1 ? 'file' : 'files'}, ${formatBytes(bytes)}`;
  const stay = files === 1 ? 'is moved and stays' : 'are moved and stay';
  return { code, message: `${amount}, ${stay} at the target; ${UNFINISHED[unfinished]}. Start it again to move the rest.` };
}

const UNFINISHED: Record<Stays['unfinished'], string> = {
  none: 'nothing unfinished is left',
  'given back now': 'what is unfinished is being given back',
  'for the sweep': 'what may be left unfinished is removed by a sweep',
};
