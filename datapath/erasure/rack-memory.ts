/**
 * What a process remembers of racks that do not answer. Each step of each operation asks racks by itself; a rack that takes requests and never answers would cost
 * every one of them its whole patience. So it is waited for once in 30 s, and counts as silent meanwhile: never as one that has nothing.
 */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import { type Patience, RackSilent, within } from './patience.ts';

/** A rack that was silent for a whole patience is not asked again before so long: with a patience of 10 s, all together wait for it a quarter of the time at most. */
const SILENT_MILLISECONDS = 30_000;
/** A rack that failed or lagged in a write is passed over for this long where enough others are live: one bad rack must not hold up every object anew. */
const TROUBLE_MILLISECONDS = 30_000;

interface Silence {
  readonly since: number;
  /** When it was last waited for in vain. */
  readonly notedAt: number;
  /** What it was asked last, and how long it was waited for. */
  readonly waited: string;
  /** The first who comes behind this instant asks. */
  askAgainAt: number;
}

/** By rack, and gone with it: an erasure set's racks are opened once per process. Milliseconds since 1970-01-01 UTC by its own clock. */
export interface RackMemory {
  readonly now: () => number;
  readonly silences: WeakMap<RackStore, Silence>;
  readonly answeredAt: WeakMap<RackStore, number>;
  readonly troubledAt: WeakMap<RackStore, number>;
}

export function createRackMemory(now: () => number = () => performance.timeOrigin + performance.now()): RackMemory {
  return { now, silences: new WeakMap(), answeredAt: new WeakMap(), troubledAt: new WeakMap() };
}

const ofThisProcess = createRackMemory();
const memoryOf = ({ memory = ofThisProcess }: Patience): RackMemory => memory;

export interface Asking {
  readonly patience: Patience;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The rack's answer. StoreUnavailable, naming the rack: at once and saying since when, where it is remembered as silent; where it does not answer in time.
 * @param limitMilliseconds the patience for a small request where absent; a shorter wait in vain is not remembered
 */
export async function askRack<T>(
  rack: RackStore,
  what: string,
  { patience, signal }: Asking,
  work: (signal: AbortSignal) => Promise<T>,
  limitMilliseconds: number = patience.requestMilliseconds,
): Promise<T> {
  const memory = memoryOf(patience);
  const silence = believedSilence(rack, patience);
  if (silence) throw refusal(rack, silence);
  const askedAt = memory.now();
  const known = memory.silences.get(rack);
  // Others go on without it while this one waits.
  if (known) known.askAgainAt = askedAt + SILENT_MILLISECONDS;
  const asked = (inner: AbortSignal): Promise<T> => {
    const answer = work(inner);
    // Also an answer that comes too late says that it is back.
    answer.then(
      () => noteAnswer(memory, rack),
      () => undefined,
    );
    return answer;
  };
  try {
    return await within(limitMilliseconds, rack.id, what, asked, signal);
  } catch (error) {
    if (signal?.aborted) {
      // Nothing was learned: the next one asks.
      if (known) known.askAgainAt = askedAt;
    } else if (!(error instanceof RackSilent)) {
      noteAnswer(memory, rack);
    } else if (limitMilliseconds >= patience.requestMilliseconds) {
      noteSilent(memory, rack, askedAt, `${what}: ${limitMilliseconds / 1000} s`);
    }
    throw error;
  }
}

/** Whether the rack would be passed over now. */
export const isSilent = (rack: RackStore, patience: Patience): boolean => believedSilence(rack, patience) !== undefined;

/** For whoever has no other rack to ask: nothing that is remembered keeps it from asking. What it learns is remembered. */
export const askingAnyway = (patience: Patience): Patience => ({ ...patience, believedFrom: Number.POSITIVE_INFINITY });

/**
 * The work as it is; where it fails for want of racks, or its result will not do, and racks were passed over that nobody has asked since it began, once more, and these are
 * asked. The work must bear repeating.
 */
export async function withLastChance<T>(
  racks: readonly RackStore[],
  patience: Patience,
  work: (patience: Patience) => Promise<T>,
  willDo: (result: T) => boolean = () => true,
): Promise<T> {
  const startedAt = memoryOf(patience).now();
  const isUnasked = (rack: RackStore): boolean => (believedSilence(rack, patience)?.notedAt ?? Number.POSITIVE_INFINITY) < startedAt;
  try {
    const result = await work(patience);
    if (willDo(result) || !racks.some(isUnasked)) return result;
  } catch (error) {
    const isForWant = isType(error, 'StoreUnavailable', 'NotEnoughShards');
    if (!isForWant || !racks.some(isUnasked)) throw error;
  }
  return await work({ ...patience, believedFrom: startedAt });
}

/** A preference of placements, and nothing else: it is asked as ever. */
export function noteTrouble(rack: RackStore, patience: Patience): void {
  const memory = memoryOf(patience);
  memory.troubledAt.set(rack, memory.now());
}

export function isTroubled(rack: RackStore, patience: Patience): boolean {
  const { now, troubledAt } = memoryOf(patience);
  return now() - (troubledAt.get(rack) ?? Number.NEGATIVE_INFINITY) < TROUBLE_MILLISECONDS;
}

function believedSilence(rack: RackStore, patience: Patience): Silence | undefined {
  const { now, silences } = memoryOf(patience);
  const silence = silences.get(rack);
  return silence && now() < silence.askAgainAt && silence.notedAt >= (patience.believedFrom ?? Number.NEGATIVE_INFINITY) ? silence : undefined;
}

function noteAnswer({ now, silences, answeredAt }: RackMemory, rack: RackStore): void {
  silences.delete(rack);
  answeredAt.set(rack, now());
}

/** Not where it answered something else meanwhile: that is a slow request, and no silent rack. */
function noteSilent({ now, silences, answeredAt }: RackMemory, rack: RackStore, askedAt: number, waited: string): void {
  if ((answeredAt.get(rack) ?? Number.NEGATIVE_INFINITY) > askedAt) return;
  const notedAt = now();
  silences.set(rack, { since: silences.get(rack)?.since ?? askedAt, notedAt, waited, askAgainAt: notedAt + SILENT_MILLISECONDS });
}

function refusal(rack: RackStore, { since, waited }: Silence): PenstockError {
  const message = `it does not answer since ${new Date(since).toISOString()} (${waited}), and is asked again every ${SILENT_MILLISECONDS / 1000} s.`;
  return new PenstockError('StoreUnavailable', message, { store: rack.id });
}
