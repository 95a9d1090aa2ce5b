/** Signed notes: as the Go tools of C2SP write and read them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatNote, openSigner, parseCheckpoint, parseNote, parseVerifier, signedBy } from '../../../../datapath/audit/note.ts';
import { newSigner, pemOfNewKey, START_MS } from '../../../support/audit-log.ts';

const TEXT = `example.com/log\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n`;

test("the note and the key of Go's golang.org/x/mod/sumdb/note are accepted as they stand there", () => {
  const verifier = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
  const note = `If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
  assert.ok(signedBy(parseNote(note), verifier));
  assert.equal(signedBy(parseNote(note.replace('your problem is', 'my problem is')), verifier), undefined);
});

test('a checkpoint reads back, and text that is none is refused', () => {
  assert.equal(parseCheckpoint(TEXT).size, 20852163);
  for (const wrong of ['', 'origin\n1\n', TEXT.replace('20852163', '020852163'), `${TEXT}more\n`, TEXT.replace('CsUY', 'CsU')])
    assert.throws(() => parseCheckpoint(wrong), /no checkpoint/);
});

test('log and witness sign the same text, and neither signature stands for the other, for another text or another time', () => {
  const [log, witness] = [newSigner('log'), newSigner('witness')];
  const note = parseNote(formatNote(TEXT, [log.sign(TEXT, START_MS), witness.sign(TEXT, START_MS)]));
  assert.deepEqual(signedBy(note, log.verifier), {});
  assert.deepEqual(signedBy(note, witness.verifier), { atMs: START_MS });
  assert.equal(signedBy(note, newSigner('log').verifier), undefined);
  assert.equal(signedBy({ ...note, text: TEXT.replace('2085', '2086') }, witness.verifier), undefined);
  const later = note.signatures.map(({ name, bytes }) => {
    const changed = Buffer.from(bytes);
    changed[11] = (changed[11] ?? 0) ^ 1;
    return { name, bytes: changed };
  });
  assert.equal(signedBy({ ...note, signatures: later }, witness.verifier), undefined);
});

test('what is no key is refused without a word of it', () => {
  assert.throws(
    () => openSigner('-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----', 'log', 'log'),
    (error: Error) => !`${error.message}${String(error.cause)}`.includes('secret'),
  );
  const verifier = openSigner(pemOfNewKey(), 'log', 'log').verifier;
  assert.throws(() => parseVerifier(verifier.replace(/^log/, 'other')), /no verifier key/);
  for (const wrong of ['no note', 'text\n\n', 'text\n\n— name\n', 'text\n\n— name !!!!\n']) assert.throws(() => parseNote(wrong), TypeError);
});
