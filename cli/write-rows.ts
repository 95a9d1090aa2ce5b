/** A list of any length, written while it is read: a row a line, or an element of JSON lines or of a YAML list. */
import type { CommandAnswer } from './command.ts';
import { escapeDocument } from './output/escape.ts';
import type { OutputFormat } from './output/render.ts';
import type { Session } from './session.ts';

/** @param textOf a row as one line for people, escaped; @param asked of the command itself, before what is asked for all */
export async function writeRows<Row>(session: Session, rows: AsyncIterable<Row>, textOf: (row: Row) => string, asked?: OutputFormat): Promise<CommandAnswer> {
  const output = asked ?? session.globals.output;
  for await (const row of rows) {
    const json = () => escapeDocument(JSON.stringify(row));
    // JSON is YAML, too.
    session.io.stdout(`${output === 'table' ? textOf(row) : output === 'json' ? json() : `- ${json()}`}\n`);
  }
  return { data: [], text: '', isWritten: true };
}
