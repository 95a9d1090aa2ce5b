/**
 * Keeps `metadata.json` near to what is shipped while the job runs, marked as open. It never takes the place of one that is closed: that is decided by the store, which replaces only the
 * version that was looked at, so that a follower who lags behind undoes nothing.
 */
import { Readable } from 'node:stream';
import { absent, isType, PenstockError } from '../../model/errors.ts';
import { METADATA_NAME } from '../../model/log-metadata.ts';
import { type MetadataOptions, metadataText } from './close-log-metadata.ts';
import { withSignal } from './log-place.ts';
import { nodesWithLogs } from './read-logs.ts';

/** User metadata of what is open, so that a HEAD tells it. */
const OPEN_NAME = 'penstock-open';
/** As of a node's index: grown by so-many-th part, all versions together are at most 16 times the last one. */
const GROWN_PART = 16;
/** Whatever little has landed is named by then. */
const SLOWEST_MS = 3_600_000;

export interface RenewalOptions extends Omit<MetadataOptions, 'openAt' | 'missing'> {
  readonly everyMs: number;
  readonly now: () => number;
}

export class LogMetadataRenewal {
  /** Why the last one could not be written. Following goes on: each chunk has its own record. */
  problem: string | undefined;
  readonly #options: RenewalOptions;
  #named = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  /** Writes where enough has landed. @param chunks that there are of the nodes that are followed */
  async look(chunks: number): Promise<void> {
    if (this.#isClosed || !this.#isDue(chunks)) return;
    this.#lastAt = this.#options.now();
    try {
      const outcome = await renew(this.#options);
      this.#isClosed = outcome === 'closed';
      if (outcome === 'written') this.#named = chunks;
      this.problem = undefined;
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      if (!(error instanceof PenstockError)) throw error;
      this.problem = error.message;
    }
  }

  #isDue(chunks: number): boolean {
    const waitedMs = this.#options.now() - this.#lastAt;
    const grown = chunks - this.#named;
    return grown > 0 && waitedMs >= this.#options.everyMs && (grown * GROWN_PART >= this.#named || waitedMs >= SLOWEST_MS);
  }
}

/** `overtaken`: another one was written since it was looked at. */
async function renew({ everyMs: _every, now, ...options }: RenewalOptions): Promise<'written' | 'closed' | 'overtaken'> {
  const { store, bucket } = options;
  const key = `${options.prefix}${METADATA_NAME}`;
  const found = await store.head(bucket, key, withSignal(options)).catch(absent);
  if (found && found.metadata[OPEN_NAME] === undefined) return 'closed';
  const openAt = new Date(now()).toISOString();
  const nodes = [...new Set([...options.nodes, ...(await nodesWithLogs(options))])].sort();
  const text = Readable.from(metadataText({ ...options, nodes, openAt }), { objectMode: false });
  const onlyThat = found ? { ifMatch: found.etag } : { ifNoneMatch: true };
  try {
    await store.writeStream(bucket, key, text, { contentType: 'application/json', metadata: { [OPEN_NAME]: openAt }, ...onlyThat, ...withSignal(options) });
    return 'written';
  } catch (error) {
    if (isType(error, 'Conflict', 'NotFound')) return 'overtaken';
    throw error;
  }
}
