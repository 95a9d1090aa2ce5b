/**
 * How a move is cut into units of work, each for one activity: runs of manifest pages for many small entries, shares of parts for each large one. A pure function of the
 * manifest's page facts, so that every worker finds the same units and none is stored. There are at most {@link MAX_UNITS} of
 * either kind, whatever there is to move: a petabyte costs larger units, not more activities.
 */
export interface PlannedPage {
  readonly files: number;
  readonly bytes: number;
  /** Entries to be moved by several workers: position on the page, size. */
  readonly large?: readonly { readonly index: number; readonly bytes: number }[];
}

export type Unit =
  | { readonly kind: 'pages'; readonly fromPage: number /** Behind the last one. */; readonly toPage: number }
  /** Of an entry's parts, numbered as the target cuts them, those from `share / shares` of their number to the next. */
  | { readonly kind: 'share'; readonly page: number; readonly index: number; readonly share: number; readonly shares: number };

/** From here on, where the site's policy says nothing else, an entry is moved by several workers; a lost one costs at most a share, half of this. */
export const LARGE_BYTES = 16 * 2 ** 30;
/** Of each kind. An activity is 3 to 6 history events: with continue-as-new every 2,000, some ten runs at most. */
export const MAX_UNITS = 2048;
/** A minute or so of work at 500 MB/s or 1,000 files/s. */
export const UNIT_BYTES = 32 * 2 ** 30;
const UNIT_FILES = 50_000;

export interface Planned {
  readonly pages: readonly PlannedPage[];
  /** What counted as large when the list was made. */
  readonly largeBytes?: number;
}

export function planUnits({ pages, largeBytes = LARGE_BYTES }: Planned): Unit[] {
  return [...pageUnits(pages), ...shareUnits(pages, largeBytes / 2)];
}

function pageUnits(pages: readonly PlannedPage[]): Unit[] {
  const small = pages.map(withoutLarge);
  const unitBytes = Math.max(UNIT_BYTES, sum(small, 'bytes') / (MAX_UNITS / 2));
  const unitFiles = Math.max(UNIT_FILES, sum(small, 'files') / (MAX_UNITS / 2));
  const units: Unit[] = [];
  let fromPage = 0;
  let files = 0;
  let bytes = 0;
  small.forEach((page, number) => {
    if (number > fromPage && (files + page.files > unitFiles || bytes + page.bytes > unitBytes)) {
      units.push({ kind: 'pages', fromPage, toPage: number });
      fromPage = number;
      files = 0;
      bytes = 0;
    }
    files += page.files;
    bytes += page.bytes;
  });
  if (pages.length > fromPage) units.push({ kind: 'pages', fromPage, toPage: pages.length });
  return units;
}

function shareUnits(pages: readonly PlannedPage[], atLeastBytes: number): Unit[] {
  const large = pages.flatMap((page, number) => (page.large ?? []).map((entry) => ({ page: number, ...entry })));
  const total = large.reduce((all, { bytes }) => all + bytes, 0);
  const shareBytes = Math.max(atLeastBytes, total / (MAX_UNITS / 2));
  return large.flatMap(({ page, index, bytes }): Unit[] => {
    const shares = Math.max(1, Math.ceil(bytes / shareBytes));
    return Array.from({ length: shares }, (_, share) => ({ kind: 'share', page, index, share, shares }));
  });
}

function withoutLarge({ files, bytes, large = [] }: PlannedPage): PlannedPage {
  return { files: files - large.length, bytes: bytes - large.reduce((all, entry) => all + entry.bytes, 0) };
}

const sum = (pages: readonly PlannedPage[], field: 'files' | 'bytes'): number => pages.reduce((total, page) => total + page[field], 0);

/** The parts of a share: from, and behind the last one. */
export function partsOfShare(parts: number, share: number, shares: number): { readonly from: number; readonly to: number } {
  return { from: Math.floor((parts * share) / shares), to: Math.floor((parts * (share + 1)) / shares) };
}
