/** What was found wrong while reading: one entry per shard and kind, so that a rotten disk does not make a list as long as its cells. */

export type FindingKind =
  /** The whole shard: its rack does not answer, it is absent, truncated, or header and footer are not those of this object. Due for repair. */
  | 'lost'
  /** Cells whose CRC32C differs. Due for repair. */
  | 'rotten'
  /** Cells that did not come at first; the rack was asked again later. */
  | 'interrupted'
  /** Cells that others were faster than: nothing is known to be wrong. */
  | 'late';

export interface Finding {
  readonly rack: string;
  readonly index: number;
  readonly kind: FindingKind;
  /** Affected cells; 0 where the shard was lost before its first was wanted. */
  cells: number;
  readonly firstStripe: number | undefined;
  /** Where nobody answered, and the shard may be as it was: its rack did not, or the site file names no such rack. */
  readonly away?: 'silent' | 'unknown' | undefined;
  /** The first cause. */
  readonly message: string;
}

export interface FindingLog {
  readonly findings: readonly Finding[];
  record(finding: Omit<Finding, 'cells'>): void;
}

/** Whether repair has something to do there. */
export const isRepairDue = ({ kind }: Finding): boolean => kind === 'lost' || kind === 'rotten';

export function createFindingLog(): FindingLog {
  const findings: Finding[] = [];
  return {
    findings,
    record(finding) {
      const cells = finding.firstStripe === undefined ? 0 : 1;
      const known = findings.find(({ index, kind }) => index === finding.index && kind === finding.kind);
      if (known) known.cells += cells;
      else findings.push({ ...finding, cells });
    },
  };
}
