import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configurationReference } from '../../../cli/reference/configuration-reference.ts';
import { isCurrent } from '../../../cli/reference/generated-file.ts';

const { content } = configurationReference();

test('docs/configuration.md is current: `npm run docs` writes it', async () => {
  assert.ok(await isCurrent(configurationReference()));
});

test('every field of the site file has a type and a meaning', () => {
  const rows = content.split('\n').filter((line) => line.startsWith('| `'));
  assert.ok(rows.length > 80);
  for (const row of rows) {
    const [, field = '', type = '', , meaning = ''] = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    assert.notEqual(type, '', field);
    assert.notEqual(meaning, '', field);
  }
});
