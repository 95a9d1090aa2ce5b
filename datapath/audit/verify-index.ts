/** The index of queries, held to the segments it is made of: one that names less would hide entries from a query. */
import type { Finding } from './finding.ts';
import { type IndexRecord, packPage, packRecord } from './index-record.ts';
import { type LogFiles, names, SEGMENTS_PER_PAGE } from './layout.ts';

/** Asked of each segment in order. */
export function createPageCheck(files: LogFiles): (number: number, record: IndexRecord | undefined) => Promise<Finding[]> {
  let page: IndexRecord[] = [];
  return async (number, record) => {
    const findings: Finding[] = [];
    const compare = async (name: string, expected: Buffer): Promise<void> => {
      const found = await files.read(name);
      if (!found?.equals(expected))
        findings.push({
          kind: 'index-damaged',
          segment: number,
          what: `${name} ${found ? 'is not what the segments say' : 'is gone'}: queries may miss entries`,
        });
    };
    if (record) {
      await compare(names.index(number), packRecord(record));
      page.push(record);
    }
    if ((number + 1) % SEGMENTS_PER_PAGE === 0) {
      if (page.length === SEGMENTS_PER_PAGE) await compare(names.page(Math.floor(number / SEGMENTS_PER_PAGE)), packPage(page));
      page = [];
    }
    return findings;
  };
}
