/** What the exit code of `penstock` says. The one table: help, docs/cli.md and the code itself read it. */

export const exitCodes = {
  ok: { code: 0, meaning: 'done' },
  refused: { code: 1, meaning: 'refused: the message begins with the type, such as InvalidInput, Conflict, FloorUnavailable or NotReady' },
  usage: { code: 2, meaning: 'the command line is wrong, or a file named on it cannot be read' },
  notFound: { code: 3, meaning: 'there is no such allocation, transfer, check, recall, checkpoint, limit or node' },
  unreachable: { code: 4, meaning: 'no site is up, or Temporal, its workers or a store do not answer; the same command may succeed later' },
  waitedTooLong: { code: 5, meaning: 'what was waited for had not happened when --timeout passed; it goes on by itself' },
  allocationEnded: { code: 6, meaning: 'the allocation, transfer, check or recall that was waited for failed or was cancelled' },
  partial: {
    code: 7,
    meaning: 'the transfer is over, and some entries could not be moved; they are named. Also of a check that finds what was moved the same',
  },
  differences: {
    code: 8,
    meaning:
      "the check is over, and the target is not what was moved there; or the audit log, a job's log or what is retained is not whole. What differs is named",
  },
  alreadyOver: { code: 9, meaning: 'it was over before: `transfer start` moved nothing now, or `cancel` had nothing to end' },
  interrupted: { code: 130, meaning: 'left by Ctrl-C while waiting; what was waited for goes on, and the message says how to end it' },
} as const satisfies Record<string, { readonly code: number; readonly meaning: string }>;

export type Exit = keyof typeof exitCodes;

export const exitCodeLines = (): string[] => Object.values(exitCodes).map(({ code, meaning }) => `${code}  ${meaning}`);
