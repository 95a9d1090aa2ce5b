/** The dry run as data: what would be refused, what would wait, and every driver call and move in order. */
import type { Phase } from '../../model/phase.ts';

export interface PlanStep {
  readonly phase: Phase;
  /** call: one call of a driver; move: bytes from one place to another; wait: until someone outside acts. */
  readonly kind: 'call' | 'move' | 'wait';
  /** The driver and its method as the code has them, such as `hot.createExport`; for moves `warm -> hot`. */
  readonly action: string;
  /** A path, key prefix or place. */
  readonly subject: string;
  /** Limits, floors, conditions. */
  readonly detail?: string;
  /** Where the stores were asked. */
  readonly files?: number;
  readonly bytes?: number;
}

export interface Finding {
  /** An error type, or a reason code as `status` would show it. */
  readonly type: string;
  readonly message: string;
}

export interface DryRun {
  readonly allocation: string;
  readonly accepted: boolean;
  /** False where only the site file was read. */
  readonly measured: boolean;
  readonly refusals: readonly Finding[];
  /** What could not be granted at this moment; the allocation would wait for it by itself. */
  readonly waits: readonly Finding[];
  readonly steps: readonly PlanStep[];
}
