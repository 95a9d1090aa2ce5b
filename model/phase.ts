/** Where an allocation is in its life. The order is the story; the last three are ends. */
export const phases = ['queued', 'staging', 'ready', 'starting', 'running', 'draining', 'archiving', 'releasing', 'released', 'failed', 'cancelled'] as const;

export type Phase = (typeof phases)[number];

const ends: ReadonlySet<Phase> = new Set(['released', 'failed', 'cancelled']);

export const isEnd = (phase: Phase): boolean => ends.has(phase);

/** Node-holding phases: the scheduler may hand the nodes to another job in all others. */
export const holdsNodes = (phase: Phase): boolean => phase === 'starting' || phase === 'running' || phase === 'draining';
