/** Work on one thing after the other, some of them at once, answered in their order. */

/**
 * Begins no more than `atOnce` before the first of them was taken. What fails is thrown when its turn comes. Whoever takes no more, or meets a failure, ends what is under way:
 * its signal is aborted, and it is waited for.
 */
export async function* workAhead<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  atOnce: number,
  work: (item: Item, signal: AbortSignal) => Promise<Result>,
  outer?: AbortSignal,
): AsyncGenerator<Result> {
  const ending = new AbortController();
  const signal = outer ? AbortSignal.any([outer, ending.signal]) : ending.signal;
  const underWay: Promise<Result>[] = [];
  try {
    for await (const item of items) {
      outer?.throwIfAborted();
      const begun = work(item, signal);
      // Its failure is reported when its turn comes, if it comes to that.
      begun.catch(() => undefined);
      underWay.push(begun);
      if (underWay.length >= atOnce) yield await first(underWay);
    }
    while (underWay.length > 0) yield await first(underWay);
  } finally {
    ending.abort();
    await Promise.allSettled(underWay);
  }
}

function first<Result>(underWay: Promise<Result>[]): Promise<Result> {
  const [next] = underWay.splice(0, 1);
  if (!next) throw new RangeError('nothing is under way');
  return next;
}
