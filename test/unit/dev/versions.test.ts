import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareVersions, extractVersion } from '../../../dev/toolchain/versions.ts';

test('a version is read from what each tool prints', () => {
  assert.equal(extractVersion('Version  : v1.8.0'), '1.8.0');
  assert.equal(extractVersion('temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)'), '1.5.1');
  assert.equal(extractVersion('NFS-Ganesha Release = V4.3'), '4.3');
  assert.equal(extractVersion('Version  : git'), undefined);
});

test('versions are compared number by number, not letter by letter', () => {
  assert.ok(compareVersions('1.10.0', '1.9.9') > 0);
  assert.ok(compareVersions('1.7.0', '1.8.0') < 0);
  assert.equal(compareVersions('1.8', '1.8.0'), 0);
});
