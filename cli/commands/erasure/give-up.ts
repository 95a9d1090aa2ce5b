import type { Command } from 'commander';
import { recorded } from '../../../activities/audit-log.ts';
import { giveUp, lossOf } from '../../../activities/give-up.ts';
import { GiveUpSchema } from '../../../model/given-up.ts';
import { formatBytes } from '../../../model/quantity.ts';
import { addCommand, type CommandAnswer, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import type { Session } from '../../session.ts';
import { givenUpText, lossText } from '../../views/given-up.ts';

interface GiveUpOptions {
  reason: string;
  by?: string;
  yes?: true;
}

export function addGiveUpCommand(parent: Command, run: Run): void {
  addCommand(parent, 'give-up', {
    summary: 'Give up an object that is lost for good, so that repair no longer tries it',
    details:
      'Refused where the object can still be read, which is tried to its last byte, and where racks of the site file do not answer, for these may hold what is missing. Who, when, why and what was lost goes on record, and `erasure status` shows it. Nothing of the object is removed: should a scrub find that it can be read again, it is an object like any other. Look first whether another site has a copy (`erasure where --in`). Exit code 1 without --yes: it says what would be given up, and does nothing',
    examples: [
      'penstock erasure give-up acme/vision/train-001/checkpoints/step-100/weights.bin --reason "five racks lost in the fire of room-a"',
      'penstock erasure give-up acme/vision/train-001/checkpoints/step-100/weights.bin --reason "ticket 4711" --by ada --yes',
    ],
  })
    .argument('<object>', 'its key; of a small file of a checkpoint, that of its pack')
    .requiredOption('--reason <text>', 'why; goes on record')
    .option('--by <person>', 'who gives it up; goes on record ($USER where absent)')
    .option('--yes', 'do it')
    .action((key: string, options: GiveUpOptions, command: Command) => run(command, (session) => giveUpOne(session, key, options)));
}

async function giveUpOne(session: Session, key: string, { reason, by = session.io.env['USER'], yes }: GiveUpOptions): Promise<CommandAnswer> {
  const who = acceptInput(GiveUpSchema, { reason, by });
  const stores = await session.stores();
  let told = 0;
  const loss = await lossOf(stores, key, (bytes) => {
    if (bytes - told < TOLD_BYTES) return;
    told = bytes;
    session.note(`${formatBytes(bytes)} can be read`);
  });
  if (!yes) return { data: { ...loss, givenUp: false }, text: `${lossText(loss)}\n\nNothing was given up. With --yes it is.`, exit: 'refused' };
  const work = () => giveUp(stores, loss, who, session.io.now());
  const { record, droppedRepairs } = await recorded(stores, who.by, { operation: 'give-up', paths: [key] }, work);
  return { data: { ...record, givenUp: true, droppedRepairs }, text: givenUpText(record, droppedRepairs) };
}

/** Some seconds of reading. */
const TOLD_BYTES = 1_000_000_000;
