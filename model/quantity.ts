/** Sizes and bandwidths as people write them ("500GB", "2GiB/s", "10Gbps") and as code counts them (bytes, bytes per second). */
import * as z from 'zod';

const multipliers: Readonly<Record<string, number>> = {
  '': 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  KI: 2 ** 10,
  MI: 2 ** 20,
  GI: 2 ** 30,
  TI: 2 ** 40,
  PI: 2 ** 50,
};

export const BYTES_EXPECTED = 'a number of bytes, or a size such as "500GB", "64MiB" or "1.5TB"';
export const BANDWIDTH_EXPECTED = 'bytes per second such as "2GB/s" or "500MiB/s", or bits per second such as "10Gbps"';

/** @returns bytes, or undefined where the text is no size */
export function parseBytes(text: string): number | undefined {
  return scaled(/^(\d+(?:\.\d+)?)\s*([KMGTP]?I?)B?$/i.exec(text.trim()));
}

/** @returns bytes per second, or undefined where the text is no bandwidth */
export function parseBandwidth(text: string): number | undefined {
  const bits = scaled(/^(\d+(?:\.\d+)?)\s*([KMGTP]?)bps$/i.exec(text.trim()));
  return bits === undefined ? scaled(/^(\d+(?:\.\d+)?)\s*([KMGTP]?I?)B\/s$/i.exec(text.trim())) : Math.floor(bits / 8);
}

function scaled(match: RegExpExecArray | null): number | undefined {
  if (!match?.[1]) return undefined;
  const multiplier = multipliers[(match[2] ?? '').toUpperCase()];
  const value = multiplier === undefined ? Number.NaN : Math.floor(Number(match[1]) * multiplier);
  return Number.isSafeInteger(value) ? value : undefined;
}

function quantity(parse: (text: string) => number | undefined, expected: string) {
  return z.union([z.string(), z.number()], expected).transform((value, context) => {
    const parsed = typeof value === 'number' ? value : parse(value);
    if (parsed !== undefined && Number.isSafeInteger(parsed) && parsed >= 0) return parsed;
    context.addIssue({ code: 'custom', message: expected, input: value });
    return z.NEVER;
  });
}

/** The titles name the type where documents show it. */
export const BytesSchema = quantity(parseBytes, BYTES_EXPECTED).meta({ title: 'size', description: BYTES_EXPECTED });
export const BandwidthSchema = quantity(parseBandwidth, BANDWIDTH_EXPECTED).meta({ title: 'bandwidth', description: BANDWIDTH_EXPECTED });
export const SomeBandwidthSchema = BandwidthSchema.refine((rate) => rate > 0, 'more than 0 bytes per second');

/** Decimal units, as drives and the specifications count: 1500000 is "1.5 MB". */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const step = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[step]}`;
}

/** "1 file", "2 files": of nouns whose plural ends in an s. */
export const formatCount = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

export const formatBandwidth = (bytesPerSecond: number): string => `${formatBytes(bytesPerSecond)}/s`;

/** 4000 is "1 h 7 min"; the two largest units only. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}
