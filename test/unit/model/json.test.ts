import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJson } from '../../../model/json.ts';

test('JSON is parsed from text and bytes, and what is none is nothing instead of an error', () => {
  assert.deepEqual(parseJson(Buffer.from('{"name": "ü"}')), { name: 'ü' });
  assert.deepEqual([parseJson('null'), parseJson('{"cut'), parseJson('')], [null, undefined, undefined]);
});
