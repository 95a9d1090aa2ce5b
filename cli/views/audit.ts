import type { Finding, Verification } from '../../activities/audit-reading.ts';
import type { Operation } from '../../model/audit.ts';
import { escapeLine } from '../output/escape.ts';
import { renderFacts, renderTable } from '../output/table.ts';

/** With tabs between, so that `cut` and a spreadsheet understand it. */
export function operationLine({ time, operation, stage, outcome, tenant, project, allocationId, nodeId, paths, user, actor, reason }: Operation): string {
  const owner = [tenant, project, allocationId].filter((part) => part !== undefined).join('/');
  const columns = [time, operation, outcome ?? stage, owner, [...(nodeId === undefined ? [] : [nodeId]), ...paths].join(' '), user ?? actor, reason ?? ''];
  return columns.map(escapeLine).join('\t').trimEnd();
}

export function verificationText(verified: Verification, isKeyKnown: boolean): string {
  const { findings, firstSegment, segments, leaves, root, lastSealedAt, signer, witness, lastSigner, sealedBy } = verified;
  const facts = renderFacts([
    ['segments', `${segments}, from ${firstSegment} on`],
    ['entries', `${leaves}, up to the last of them`],
    ['root', root],
    ['sealed last', lastSealedAt],
    ['key', isKeyKnown ? signer : `${signer} (as the log itself says: hold it to what you know)`],
    ['witness', witness],
    ['bundle sealed by', sealedBy === undefined || sealedBy === lastSigner ? sealedBy : `${sealedBy} (not announced in this part: hold it to what you know)`],
  ]);
  return `${facts}\n\n${findings.length === 0 ? 'the log is whole' : findingsText(findings)}`;
}

function findingsText(findings: readonly Finding[]): string {
  const rows = findings.map(({ kind, segment, leaf, what }) => [
    kind,
    segment === undefined ? '' : String(segment),
    leaf === undefined ? '' : String(leaf),
    what,
  ]);
  return `${renderTable(['finding', 'segment', 'entry', 'what'], rows)}\n\nthe log is not whole: ${findings.length} findings`;
}
