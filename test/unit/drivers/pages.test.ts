import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byBytes, eachPage, type From } from '../../../drivers/pages.ts';

test('pages follow one another from where they are told to begin, and none is asked for before its time', async () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const asked: From[] = [];
  const list = async (from: From) => {
    asked.push(from);
    assert.ok(asked.length <= names.length, 'it goes on');
    const begin = names.indexOf(from.after ?? '') + 1;
    const page = names.slice(begin, begin + 2);
    return { names: page, next: begin + 2 < names.length ? page.at(-1) : undefined };
  };
  const found: string[] = [];
  for await (const page of eachPage(list)) {
    found.push(...page.names);
    assert.equal(asked.length, Math.ceil(found.length / 2));
  }
  assert.deepEqual([found, asked], [names, [{}, { after: 'b' }, { after: 'd' }]]);
  asked.length = 0;
  for await (const page of eachPage(list, 'c')) assert.deepEqual(page.names, ['d', 'e']);
  assert.deepEqual(asked, [{ after: 'c' }]);
});

test('names are in the order of their bytes in UTF-8, not of their UTF-16', () => {
  assert.deepEqual(['\u{1f600}', 'b', '\uff5e', 'a'].sort(byBytes), ['a', 'b', '\uff5e', '\u{1f600}']);
});
