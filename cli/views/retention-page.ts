/** The retention report as a page that stands alone: no script, nothing fetched, and every text from elsewhere escaped. */

import { formatBytes, formatCount } from '../../model/quantity.ts';
import { findingText, type Hold, type RetentionFinding } from '../../model/retention.ts';
import type { ReportedObject, ReportedRetention, RetentionReport } from '../../model/retention-report.ts';
import { escapeLine } from '../output/escape.ts';
import { latestLook, lookedAt, stageTexts } from './retention.ts';

const STYLE = `
body { font: 11pt/1.45 system-ui, sans-serif; color: #111; background: #fff; max-width: 60em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; margin-bottom: 0.2em; } h2 { font-size: 1.15em; margin-top: 2em; border-bottom: 1px solid #999; } h3 { font-size: 1em; }
table { border-collapse: collapse; width: 100%; font-size: 0.85em; } th, td { text-align: left; vertical-align: top; padding: 0.25em 0.6em 0.25em 0; border-bottom: 1px solid #ddd; overflow-wrap: anywhere; }
thead { display: table-header-group; } tr { break-inside: avoid; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2em 1.2em; } dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
.whole { color: #0a5c2b; } .open { font-weight: bold; } .wrong { color: #a40000; font-weight: bold; }
@media print { body { margin: 0; max-width: none; font-size: 9.5pt; } h2 { break-after: avoid; } section + section { break-before: page; } }
`;

export function retentionPage(report: RetentionReport): string {
  const { site, madeAt, subject, retentions } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Retention report: ${text(subject)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Retention report: ${text(subject)}</h1>
<p>Site ${text(site)}, made at ${text(madeAt)} by penstock, format version ${report.formatVersion}. ${formatCount(retentions.length, 'retention')}.</p>
${retentions.map(section).join('\n')}
</body>
</html>
`;
}

function section(each: ReportedRetention): string {
  const { look, decision, objects, objectsNotListed = 0, events, holds } = each;
  const { findings } = latestLook(each);
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['Where', each.location],
    ['State', stageTexts[each.stage]],
    ['Locked', `${each.mode}, until ${each.retainUntil}`],
    ['Promised until', each.promisedUntil],
    ['Content', `${formatCount(each.files, 'file')}, ${formatBytes(each.bytes)}`],
    ['Manifest, SHA-256', each.digest],
    ['At the end', each.disposition],
    ['Decided', decision && `${decision.decision}, at ${decision.at} by ${decision.actor}: ${decision.reason}`],
    ['Attested on schedule', `${formatCount(each.attestations, 'time')}${each.lastAttestedAt === undefined ? '' : `, last at ${each.lastAttestedAt}`}`],
    [
      'Looked at for this report',
      look &&
        `${formatCount(look.objects, 'object')} at ${look.at}, ${look.read} of them read byte by byte; the store's clock said ${look.storeTime ?? 'nothing'}`,
    ],
  ];
  return `<section>
<h2>${text(`${each.tenant}/${each.project}/${each.allocationId}`)}</h2>
${verdict(each)}
${findings.length === 0 ? '' : `<ul>${findings.map(item).join('')}</ul>`}
<dl>${facts.flatMap(([name, value]) => (value === undefined ? [] : [`<dt>${text(name)}</dt><dd>${text(value)}</dd>`])).join('\n')}</dl>
${table('Legal holds', ['matter', 'placed', 'by', 'why', 'released'], holds.map(holdRow))}
${table('Objects', ['path', 'size', 'CRC32C', 'lock', 'read', 'findings'], objects?.map(objectRow))}
${objectsNotListed > 0 ? `<p>${objectsNotListed} further objects, with nothing wrong, are not listed.</p>` : ''}
${table(
  'From the audit log',
  ['time', 'operation', 'outcome', 'by', 'reason'],
  events?.map(({ time, operation, outcome, by, reason = '' }) => [time, operation, outcome, by, reason]),
)}
</section>`;
}

/** Nothing is said to be well that nobody has looked at. */
function verdict(each: ReportedRetention): string {
  const { findingCount } = latestLook(each);
  if (findingCount > 0) return `<p class="wrong">${formatCount(findingCount, 'finding')}.</p>`;
  const at = lookedAt(each);
  return at === undefined ? '<p class="open">Not looked at since it was archived.</p>' : `<p class="whole">Nothing wrong was found at ${text(at)}.</p>`;
}

const item = (finding: RetentionFinding): string => `<li>${text(findingText(finding))}</li>`;

const holdRow = ({ matter, since, actor, reason, released }: Hold): readonly string[] => [
  matter,
  since,
  actor,
  reason,
  released ? `${released.at} by ${released.actor}: ${released.reason}` : 'stands',
];

const objectRow = ({ path, bytes, crc32c = '', mode, retainUntil, wasRead, findings }: ReportedObject): readonly string[] => [
  path,
  formatBytes(bytes),
  crc32c,
  mode ? `${mode} until ${retainUntil}` : 'none',
  wasRead ? 'yes' : 'no',
  findings.map(findingText).join('; '),
];

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[] | undefined): string {
  if (!rows || rows.length === 0) return '';
  const cells = (tag: 'th' | 'td', row: readonly string[]): string => `<tr>${row.map((cell) => `<${tag}>${text(cell)}</${tag}>`).join('')}</tr>`;
  return `<h3>${text(title)}</h3>
<table>
<thead>${cells('th', head)}</thead>
<tbody>
${rows.map((row) => cells('td', row)).join('\n')}
</tbody>
</table>`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const text = (value: string): string => escapeLine(value).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
