/** A command's answer in the format that was asked for. JSON and YAML carry the data whole; the table is for reading. */
import { Document, isScalar, visit } from 'yaml';
import { escapeDocument, isSafeLine } from './escape.ts';

export const outputFormats = ['table', 'json', 'yaml'] as const;
export type OutputFormat = (typeof outputFormats)[number];

export interface Answer {
  readonly data: unknown;
  /** Already escaped, without a line break at its end. */
  readonly text: string;
}

export function renderAnswer(answer: Answer, format: OutputFormat): string {
  switch (format) {
    case 'table':
      return answer.text === '' ? '' : `${answer.text}\n`;
    case 'json':
      return `${escapeDocument(JSON.stringify(answer.data, undefined, 2))}\n`;
    case 'yaml':
      return escapeDocument(renderYaml(answer.data));
  }
}

function renderYaml(data: unknown): string {
  // Through JSON first: what has no JSON (undefined, dates) reads the same in both formats.
  const document = new Document(JSON.parse(JSON.stringify(data)), { aliasDuplicateObjects: false });
  visit(document, (_key, node) => {
    if (isScalar(node) && typeof node.value === 'string' && !isSafeLine(node.value)) node.type = 'QUOTE_DOUBLE';
  });
  return document.toString({ lineWidth: 0 });
}
