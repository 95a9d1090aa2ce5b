/** For commander: an option that may be given again, in the order given. */
export const repeated = (value: string, before: readonly string[] = []): string[] => [...before, value];
