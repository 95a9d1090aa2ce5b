/** Where this user's machine keeps what Penstock built or fetched for it. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export function cacheDirectory(): string {
  const { PENSTOCK_CACHE_DIR: explicit, XDG_CACHE_HOME: xdg } = process.env;
  if (explicit) return resolve(explicit);
  return xdg ? resolve(xdg, 'penstock') : join(homedir(), '.cache', 'penstock');
}
