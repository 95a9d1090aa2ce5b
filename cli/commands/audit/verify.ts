import { type Command, Option } from 'commander';
import type { Verification } from '../../../activities/audit-reading.ts';
import { addCommand, type CommandAnswer, type Run } from '../../command.ts';
import { repeated } from '../../input/repeated.ts';
import type { Session } from '../../session.ts';
import { verificationText } from '../../views/audit.ts';

interface VerifyOptions {
  offline?: string;
  key?: string;
  kept: string[];
}

export function addVerifyCommand(parent: Command, run: Run): void {
  addCommand(parent, 'verify', {
    summary: 'Prove that the audit log is whole: nothing deleted, changed, reordered, inserted, cut off or made anew',
    details:
      'Reads all of it, holds each entry to the signed checkpoints, these to the keys of log and witness, and the whole to what the witness signed last. Of a copy, nobody here can know what came after it: give the last checkpoint that you know of with --kept. Exit code 8 where something is found; each finding says which entry and what happened',
    examples: [
      'penstock audit verify',
      'penstock audit verify --offline november.audit',
      'penstock audit verify --offline /mnt/copy/audit/embedded --kept last-checkpoint.txt',
    ],
  })
    .option('--offline <path>', 'a file of `penstock audit export`, or a directory laid out like the bucket; needs no site')
    .option('--key <key>', 'the verifier key that the log must begin with, as `penstock doctor` showed it')
    .addOption(
      new Option('--kept <file>', 'a checkpoint that was kept elsewhere, which must be in the log; may be given again').argParser(repeated).default([], 'none'),
    )
    .action((options: VerifyOptions, command: Command) => run(command, (session) => verify(session, options)));
}

async function verify(session: Session, { offline, key, kept }: VerifyOptions): Promise<CommandAnswer> {
  const { readKept, verifyAudit, verifyCopy } = await import('../../../activities/audit-reading.ts');
  const notes = await Promise.all(kept.map(readKept));
  const onSegment = (number: number): void => {
    if ((number + 1) % TOLD_SEGMENTS === 0) session.note(`${number + 1} segments verified`);
  };
  const options = { kept: notes, onSegment, ...(key === undefined ? {} : { key }) };
  const verified: Verification = offline === undefined ? await verifyAudit(await session.stores(), options) : await verifyCopy(offline, options);
  return {
    data: verified,
    text: verificationText(verified, key !== undefined),
    exit: verified.findings.length > 0 ? 'differences' : 'ok',
  };
}

/** Some seconds of reading. */
const TOLD_SEGMENTS = 500;
