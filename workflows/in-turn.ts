/** Changes of one thing, one after the other, so that the last word is what stays on record. */
export interface Turns {
  changing: Promise<unknown>;
}

export const newTurns = (): Turns => ({ changing: Promise.resolve() });

export async function inTurn<T>(turns: Turns, change: () => Promise<T>): Promise<T> {
  const before = turns.changing.catch(() => undefined); // one that failed does not stop the next
  const changing = before.then(change);
  turns.changing = changing;
  return await changing;
}
