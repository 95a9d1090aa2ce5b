/** Places and rates as operators write them: `warm:team-a/data/`, `200MB/s`. */
import { InvalidArgumentError } from 'commander';
import { LOCATION_EXPECTED, type Location, LocationSchema, splitLocation } from '../../model/location.ts';
import { BANDWIDTH_EXPECTED, parseBandwidth } from '../../model/quantity.ts';
import { type Site, storeNames } from '../../model/site.ts';
import { CliError } from '../cli-error.ts';
import { acceptInput } from './accept.ts';

export const LOCATION_ABOUT = 'STORE:BUCKET/PREFIX, such as warm:team-a/data/; of a directory tree, BUCKET is the first directory below its root';

/** @throws CliError usage, naming what would be accepted */
export function parseLocation(text: string, site: Site): Location {
  const parts = splitLocation(text);
  if (!parts)
    throw new CliError('usage', `found ${JSON.stringify(text)}; accepted: ${LOCATION_EXPECTED}, with one of the stores ${storeNames(site).join(', ')}`);
  requireStore(parts.store, site);
  return acceptInput(LocationSchema, parts, text);
}

export function requireStore(store: string, site: Site): string {
  const known = storeNames(site);
  if (known.includes(store)) return store;
  throw new CliError('usage', `store: found ${JSON.stringify(store)}; accepted: ${known.join(', ')}`, { type: 'InvalidInput' });
}

/** What a status shows is of this form. */
export function reparseLocation(text: string): Location {
  return acceptInput(LocationSchema, splitLocation(text), text);
}

export const RATE_ABOUT = 'bytes per second such as 200MB/s, or bits such as 10Gbps; 0 stops, none takes the limit away';

/** Null is no limit. @throws InvalidArgumentError, which commander reports */
export function parseRate(text: string): number | null {
  if (text === 'none') return null;
  const rate = text === '0' ? 0 : parseBandwidth(text);
  if (rate === undefined) throw new InvalidArgumentError(`accepted: ${BANDWIDTH_EXPECTED}; 0 to stop, none for no limit`);
  return rate;
}
