/** Before data is accepted that will have to be locked, the store has shown that its lock works. A store without one is refused here, not after the job has run. */
import { randomUUID } from 'node:crypto';
import type { Stores } from '../drivers/open-site.ts';
import { probeWhileHeld } from '../drivers/probes/object-lock.ts';
import { openS3Target, removeEveryVersion } from '../drivers/probes/s3-target.ts';
import { isFatal, PenstockError } from '../model/errors.ts';
import type { LockMode } from '../model/retention-policy.ts';

/** A "yes" is believed for so long, by this process; a "no" never. */
const BELIEVED_MS = 86_400_000;
/** A "no" must be said twice: a network that failed in between would look the same. */
const TRIES = 2;
const PREFIX = 'lock-proof/';

export interface LockProof {
  /** @throws PenstockError PolicyRefused with what was tried and what was seen; StoreUnavailable where nothing can be seen */
  demand(mode: LockMode): Promise<void>;
}

export function createLockProof(stores: Pick<Stores, 'cold' | 'site'>): LockProof {
  const proven = new Map<LockMode, { readonly atMs: number; readonly proof: Promise<void> }>();
  return {
    async demand(mode) {
      const known = proven.get(mode);
      if (known && Date.now() - known.atMs < BELIEVED_MS) return await known.proof;
      const proof = prove(stores, mode);
      proven.set(mode, { atMs: Date.now(), proof });
      proof.catch(() => proven.delete(mode));
      return await proof;
    },
  };
}

async function prove({ cold, site }: Pick<Stores, 'cold' | 'site'>, mode: LockMode): Promise<void> {
  const target = await openS3Target(cold, site.stores.cold, `${PREFIX}${randomUUID()}`);
  let missing: string | undefined;
  for (let tried = 0; tried < TRIES; tried += 1) {
    await cold.ensureBucket(target.bucket, { objectLock: true }).catch(refuseBucket);
    // What earlier probes had locked is free by now.
    await removeEveryVersion({ ...target, prefix: PREFIX }).catch(() => undefined);
    const { results } = await probeWhileHeld(target, mode);
    const shortfall = results.find(({ works }) => works !== 'yes');
    if (!shortfall) return;
    missing ??= `${shortfall.ability}: ${shortfall.evidence}`;
  }
  throw refusal(`${missing}.`, undefined);
}

function refuseBucket(error: unknown): never {
  if (isFatal(error)) throw refusal(error.message, error);
  throw error;
}

const refusal = (what: string, cause: unknown): PenstockError =>
  new PenstockError('PolicyRefused', `The cold store does not keep what is locked, and the output would have to be: ${what}`, {
    nextStep: 'Run `penstock doctor`, and give stores.cold an endpoint with a working Object Lock. Nothing was accepted.',
    cause,
  });
