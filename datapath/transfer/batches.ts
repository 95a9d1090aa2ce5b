export interface BatchBounds<T> {
  /** Items of a batch, at the most. */
  readonly items: number;
  /** The item that fills a batch to this ends it. */
  readonly weight?: { readonly of: (item: T) => number; readonly full: number };
}

/** All items in order, so many at a time; no batch is empty. */
export async function* batches<T>(all: AsyncIterable<T> | Iterable<T>, { items, weight }: BatchBounds<T>): AsyncGenerator<T[], void> {
  let batch: T[] = [];
  let weighed = 0;
  for await (const item of all) {
    batch.push(item);
    weighed += weight?.of(item) ?? 0;
    if (batch.length < items && weighed < (weight?.full ?? Number.POSITIVE_INFINITY)) continue;
    yield batch;
    batch = [];
    weighed = 0;
  }
  if (batch.length > 0) yield batch;
}
