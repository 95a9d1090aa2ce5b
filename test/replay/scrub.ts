/**
 * Takes a machine's traces out of a history: paths, host names, identities, secrets. What stands inside payloads is replaced too,
 * the same everywhere, so that a path the workflow was told is still the path it passed on and the history replays.
 */
import * as z from 'zod';

export interface Traces {
  /** Text to what stands for it; longer texts first where one holds the other. */
  readonly replacements: readonly (readonly [text: string, standIn: string])[];
  /** What must not be left, replaced or not: secrets. */
  readonly forbidden: readonly string[];
}

/** A proto JSON payload; its data is base64 of JSON for all that we send. */
const PayloadSchema = z.object({ metadata: z.object({ encoding: z.string() }).loose(), data: z.string() }).loose();
/** Process id and host, as the SDK names its workers; sticky queues carry it too. */
const IDENTITY = /\b\d+@[\w.-]+/g;

/** @throws where a trace is left, by its name and not its value */
export function scrub(events: readonly unknown[], traces: Traces): unknown[] {
  const scrubbed = events.map((event) => scrubValue(event, traces));
  const text = JSON.stringify(scrubbed.map(decoded));
  for (const [index, left] of [...traces.replacements.map(([each]) => each), ...traces.forbidden].entries()) {
    if (text.includes(left)) throw new Error(`a trace of this machine is left in the history: number ${index} of the list`);
  }
  return scrubbed;
}

function scrubValue(value: unknown, traces: Traces): unknown {
  if (typeof value === 'string') return scrubText(value, traces);
  if (Array.isArray(value)) return value.map((each) => scrubValue(each, traces));
  if (typeof value !== 'object' || value === null) return value;
  const payload = PayloadSchema.safeParse(value);
  if (payload.success) return { ...payload.data, data: encode(scrubText(decode(payload.data.data), traces)) };
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, name === 'identity' ? 'recorder' : scrubValue(each, traces)]));
}

function scrubText(text: string, traces: Traces): string {
  const replaced = traces.replacements.reduce((result, [from, to]) => result.replaceAll(from, to), text);
  return replaced.replace(IDENTITY, 'recorder');
}

/** The same with payloads readable, to search in. */
function decoded(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decoded);
  if (typeof value !== 'object' || value === null) return value;
  const payload = PayloadSchema.safeParse(value);
  if (payload.success) return decode(payload.data.data);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, decoded(each)]));
}

const decode = (data: string): string => Buffer.from(data, 'base64').toString('utf8');
const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
