import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { parse } from 'yaml';
import { escapeLine, escapeText } from '../../../cli/output/escape.ts';
import { renderAnswer } from '../../../cli/output/render.ts';
import { renderFacts, renderTable } from '../../../cli/output/table.ts';

const HOSTILE = 'a\x1b[2J\r\nphase: released\u202e\u009b31m\u2028end\x7f';
const data = { name: HOSTILE, list: [{ n: 1, text: 'plain' }], absent: undefined, [`key${HOSTILE}`]: true };

test('a name from elsewhere cannot move the cursor, forge a line or reverse the reading order', () => {
  assert.equal(escapeLine(HOSTILE), 'a\\u001b[2J\\u000d\\u000aphase: released\\u202e\\u009b31m\\u2028end\\u007f');
  assert.equal(escapeText('one\ntwo\r'), 'one\ntwo\\u000d');
  assert.equal(escapeLine('\ud800'), '\ufffd', 'half a surrogate pair is no text');
  assert.equal(escapeLine('Zürich 数据'), 'Zürich 数据');
});

test('no format lets a control character through', () => {
  const text = renderTable(['name'], [[HOSTILE]]);
  for (const format of ['table', 'json', 'yaml'] as const) {
    const lines = renderAnswer({ data, text }, format).split('\n');
    for (const line of lines) assert.equal(escapeLine(line), line, format);
  }
});

test('JSON and YAML carry the data whole, control characters included', () => {
  const expected = JSON.parse(JSON.stringify(data));
  assert.deepEqual(JSON.parse(renderAnswer({ data, text: '' }, 'json')), expected);
  assert.deepEqual(parse(renderAnswer({ data, text: '' }, 'yaml')), expected);
});

test('YAML repeats what appears twice instead of pointing at it', () => {
  const shared = { a: 1 };
  assert.equal(renderAnswer({ data: { one: shared, two: shared }, text: '' }, 'yaml'), 'one:\n  a: 1\ntwo:\n  a: 1\n');
});

test('a table aligns its columns and leaves no blanks at the ends of lines', () => {
  assert.equal(
    renderTable(
      ['name', 'size'],
      [
        ['long-name', '1'],
        ['b', '22 MB'],
      ],
    ),
    'NAME       SIZE\nlong-name  1\nb          22 MB',
  );
});

test('colour does not shift a column', () => {
  const painted = renderTable(['works', 'why'], [['yes', 'because']], { paint: (cell, column) => (column === 0 ? `\x1b[32m${cell}\x1b[39m` : cell) });
  assert.equal(stripVTControlCharacters(painted), 'WORKS  WHY\nyes    because');
});

test('facts without a value are left out', () => {
  assert.equal(
    renderFacts([
      ['phase', 'ready'],
      ['deadline', undefined],
      ['expected start', 'soon'],
    ]),
    'phase           ready\nexpected start  soon',
  );
});

test('an empty table answer prints nothing', () => {
  assert.equal(renderAnswer({ data: [], text: '' }, 'table'), '');
});
