import { InvalidArgumentError } from 'commander';

/** For commander: a whole number within bounds. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) throw new InvalidArgumentError(`accepted: a whole number from ${least} to ${most}`);
    return value;
  };
}

/** For commander: "2%" or "0.02", above 0. A rate of more than one a year is one, too. */
export function parseShare(text: string): number {
  const [, number, percent] = /^(\d*\.?\d+(?:e-?\d+)?)(%?)$/i.exec(text.trim()) ?? [];
  const value = Number(number) / (percent ? 100 : 1);
  if (!(value > 0 && value <= 100)) throw new InvalidArgumentError('accepted: a share such as "2%" or "0.02", above 0');
  return value;
}

/** For commander: years, whole or not. */
export function parseYears(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1000)) throw new InvalidArgumentError('accepted: a number of years above 0, at most 1000');
  return value;
}
