/** Instants by Temporal's clock, which is the same in a replay. */

export const now = (): string => later(0);
export const later = (seconds: number, from = Date.now()): string => new Date(from + seconds * 1000).toISOString();
