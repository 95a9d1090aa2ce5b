/** Lists are answered a page at a time, in the order of their names; each page says behind which name the next one goes on. */

/** Where a page begins: behind that name, or at the first. */
export interface From {
  readonly after?: string;
}

/** Page after page; none is asked for before the one before it has been used. @param after for who goes on */
export async function* eachPage<Page extends { readonly next: string | undefined }>(
  list: (from: From) => Promise<Page>,
  after?: string,
): AsyncGenerator<Page, void> {
  for (let from: From = after === undefined ? {} : { after }; ; ) {
    const page = await list(from);
    yield page;
    if (page.next === undefined) return;
    from = { after: page.next };
  }
}

/** The order in which stores, racks and trees list: by the bytes of the names. */
export const byBytes = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other));
