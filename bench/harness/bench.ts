/** What a benchmark is to the harness. */
import type { ToolName } from '../../dev/toolchain/tools.ts';
import type { Row } from './rows.ts';
import type { Workspace } from './workspace.ts';

export interface Bench {
  readonly name: string;
  readonly summary: string;
  /** How long it takes on two cores, in words. */
  readonly takes: { readonly full: string; readonly quick: string };
  /** Obtained before the run. */
  readonly tools: readonly ToolName[];
  run(context: BenchContext): Promise<BenchOutcome>;
}

export interface BenchContext {
  readonly options: BenchOptions;
  readonly workspace: Workspace;
  /** For a person who waits, on standard error. */
  readonly log: (line: string) => void;
  /** All rows so far: what an hour has measured is not lost with what comes after it. */
  readonly keep: (rows: readonly Row[]) => Promise<void>;
}

export interface BenchOptions {
  /** Smaller volumes and fewer runs; the same clients and goals. */
  readonly quick: boolean;
  /** Only cases whose name it matches, also those that a full run leaves out. */
  readonly cases?: RegExp;
  /** Runs of each case; the benchmark's own number where absent. */
  readonly runs?: number;
  /** Only these clients, such as `rclone` and `s5cmd`; all where empty. */
  readonly only: readonly string[];
}

export interface BenchOutcome {
  readonly rows: readonly Row[];
  readonly facts: readonly Fact[];
}

/** What a reader must know to judge the figures, such as a version or the flags of a peer. */
export type Fact = readonly [name: string, value: string];
