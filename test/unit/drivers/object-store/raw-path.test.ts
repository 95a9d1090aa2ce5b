/** The pure pieces of the raw path: what is signed, what is sent in blocks, what is believed of an answer. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { crc32cOf } from '../../../../datapath/transfer/crc32c.ts';
import { decodeChunks, parseHead } from '../../../../drivers/object-store/raw/answer.ts';
import { createBlockSource } from '../../../../drivers/object-store/raw/blocks.ts';
import { createHmacSha256 } from '../../../../drivers/object-store/raw/hmac.ts';
import { createSigner } from '../../../../drivers/object-store/raw/sign.ts';
import { encodeKey, encodeText } from '../../../../drivers/object-store/raw/uri.ts';
import { elementText } from '../../../../drivers/object-store/raw/xml.ts';
import { partBytesFor } from '../../../../drivers/object-store/s3-parts.ts';

const MIB = 2 ** 20;

describe('a signature', () => {
  // The examples of Amazon's "Signature Calculations for the Authorization Header", whose keys are of no account.
  const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
  const time = Date.parse('2013-05-24T00:00:00Z');
  const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  const signer = createSigner('examplebucket.s3.amazonaws.com', 'us-east-1');
  const signatureOf = (head: string) => /Signature=(\w+)/.exec(head)?.[1];

  it('is the one Amazon publishes, of a range, of a write and of a query', () => {
    const get = { method: 'GET', path: '/test.txt', query: '', headers: [['range', 'bytes=0-9']], contentSha256: emptySha256 } as const;
    const head = signer.head(get, credentials, time);
    assert.equal(signatureOf(head), 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41');
    assert.match(head, /^GET \/test\.txt HTTP\/1\.1\r\nhost: examplebucket/);
    assert.match(head, /SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, /);
    const headers = [
      ['date', 'Fri, 24 May 2013 00:00:00 GMT'],
      ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
    ] as const;
    const contentSha256 = '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072';
    const put = { method: 'PUT', path: `/${encodeKey('test$file.text')}`, query: '', headers, contentSha256 };
    assert.equal(signatureOf(signer.head(put, credentials, time)), '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd');
    const lifecycle = { method: 'GET', path: '/', query: 'lifecycle=', headers: [], contentSha256: emptySha256 };
    assert.equal(signatureOf(signer.head(lifecycle, credentials, time)), 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543');
  });

  it('is of the day it is made on, with the session it is made in', () => {
    const request = { method: 'GET', path: '/x', query: '', headers: [], contentSha256: emptySha256 };
    const head = signer.head(request, { ...credentials, sessionToken: 'of a role' }, time + 86_400_000);
    assert.match(head, /x-amz-security-token: of a role\r\n/);
    assert.match(head, /Credential=AKIAIOSFODNN7EXAMPLE\/20130525\/us-east-1\/s3\/aws4_request, SignedHeaders=[^,]*;x-amz-security-token,/);
    assert.notEqual(signatureOf(head), signatureOf(signer.head(request, credentials, time)));
  });

  it('rests on an HMAC that is everybody else’s', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.string({ maxLength: 2000, unit: 'grapheme' }), (key, message) => {
        const own = createHmacSha256(key);
        const expected = createHmac('sha256', key).update(message).digest('hex');
        assert.equal(own.hex(message), expected);
        assert.equal(own.bytes(message).toString('hex'), expected);
      }),
    );
  });

  it('leaves unencoded what RFC 3986 does, and a key its slashes', () => {
    assert.equal(encodeText("AZaz09-._~ /+%!'()*&=?"), 'AZaz09-._~%20%2F%2B%25%21%27%28%29%2A%26%3D%3F');
    assert.equal(encodeKey('a b/ü/😀'), 'a%20b/%C3%BC/%F0%9F%98%80');
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => assert.equal(decodeURIComponent(encodeKey(text)), text)));
  });
});

describe('a part in blocks', () => {
  const sent = async (sizes: readonly number[], isTrailing: boolean) => {
    const blocks = sizes.map((size, index) => Buffer.alloc(size, index + 1));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const source = createBlockSource({ bytes, blocks: from(blocks) }, isTrailing);
    const wire: Buffer[] = [];
    await source.send(async (pieces) => void wire.push(...pieces.map((piece) => Buffer.from(piece))));
    return { source, wire: Buffer.concat(wire), content: Buffer.concat(blocks) };
  };
  const from = async function* (blocks: readonly Buffer[]) {
    yield* blocks;
  };

  it('is as long on the wire as was said before its blocks were seen, and decodes to them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 3 * MIB }), { maxLength: 4 }), async (sizes) => {
        const { source, wire, content } = await sent(sizes, true);
        assert.equal(wire.length, source.wireBytes);
        assert.ok(wire.toString('latin1').endsWith(`0\r\nx-amz-checksum-crc32c:${crc32cOf(content)}\r\n\r\n`));
        const decoded: Buffer[] = [];
        for (let at = 0; ; ) {
          const end = wire.indexOf('\r\n', at);
          const size = Number.parseInt(wire.toString('latin1', at, end), 16);
          if (size === 0) break;
          decoded.push(wire.subarray(end + 2, end + 2 + size));
          at = end + 2 + size + 2;
        }
        assert.ok(Buffer.concat(decoded).equals(content));
      }),
      { numRuns: 20 },
    );
    const plain = await sent([5, 7], false);
    assert.ok(plain.wire.equals(plain.content) && plain.source.wireBytes === 12);
  });

  it('of other than its length is refused, whichever way it differs', async () => {
    for (const [bytes, name] of [
      [9, 'SourceChanged'],
      [11, 'StoreUnavailable'],
    ] as const) {
      const source = createBlockSource({ bytes, blocks: from([Buffer.alloc(10)]) }, true);
      await assert.rejects(
        source.send(() => Promise.resolve()),
        (error: Error) => error.name === 'BlockFault' && error.cause instanceof Error && error.cause.name === name,
      );
    }
  });

  it('can be sent again until its second block is asked for', async () => {
    const source = createBlockSource({ bytes: 20, blocks: from([Buffer.alloc(10, 'a'), Buffer.alloc(10, 'b')]) }, false);
    await assert.rejects(source.send(() => Promise.reject(new Error('cut'))));
    assert.ok(source.isRepeatable());
    const wire: string[] = [];
    await source.send(async (pieces) => void wire.push(...pieces.map(String)));
    assert.equal(wire.join(''), 'a'.repeat(10) + 'b'.repeat(10));
    assert.ok(!source.isRepeatable());
  });
});

describe('an answer', () => {
  it('is read where it is plain HTTP', () => {
    const head = parseHead('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "x"\r\nX-Empty:\r\nx-amz-meta-A: b: c ', false);
    assert.deepEqual([head.status, head.length, head.keepsAlive], [200, 5, true]);
    assert.deepEqual([...head.headers.entries()].slice(1), [
      ['etag', '"x"'],
      ['x-empty', ''],
      ['x-amz-meta-a', 'b: c'],
    ]);
    assert.equal(parseHead('HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked', false).length, 'chunked');
    assert.equal(parseHead('HTTP/1.1 200 OK\r\nContent-Length: 5', true).length, 'none');
    assert.equal(parseHead('HTTP/1.1 204 No Content', false).length, 'none');
    assert.equal(parseHead('HTTP/1.1 200\r\nContent-Length: 5\r\nConnection: close', false).keepsAlive, false);
    assert.equal(parseHead('HTTP/1.0 200 OK\r\nContent-Length: 5', false).keepsAlive, false);
  });

  it('is left to the SDK where it is anything else', () => {
    for (const head of [
      'ICY 200 OK',
      'HTTP/2 200',
      'HTTP/1.1 100 Continue',
      'HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0',
      'HTTP/1.1 200 OK',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6',
      'HTTP/1.1 200 OK\r\nContent-Length: -5',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked',
      'HTTP/1.1 200 OK\r\nContent-Length : 5',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n folded',
      'HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 5',
    ]) {
      assert.throws(() => parseHead(head, false), { name: 'UnusualAnswer' }, head);
    }
  });

  it('in chunks is whole or not yet, wherever it is cut', () => {
    const whole = Buffer.from('4\r\nwiki\r\n6;x=y\r\npedia \r\n0\r\nTrailer: x\r\n\r\n');
    for (let cut = 0; cut < whole.length; cut += 1) assert.equal(decodeChunks(whole.subarray(0, cut)), undefined);
    assert.deepEqual(decodeChunks(whole), { content: 'wikipedia ', taken: whole.length });
    assert.throws(() => decodeChunks(Buffer.from('xyz\r\n')), { name: 'UnusualAnswer' });
  });

  it('in XML tells its elements, entities resolved', () => {
    const xml = '<?xml version="1.0"?><R><ETag>&quot;a&amp;b&quot;&#x41;&#66;&unknown;</ETag></R>';
    assert.equal(elementText(xml, 'ETag'), '"a&b"AB&unknown;');
    assert.equal(elementText(xml, 'Other'), undefined);
  });
});

describe('the size of a part', () => {
  it('is the smallest multiple of 8 MiB of which 10,000 hold the object, up to 5 TiB', () => {
    assert.equal(partBytesFor(0, 'warm'), 8 * MIB);
    assert.equal(partBytesFor(10_000 * 8 * MIB, 'warm'), 8 * MIB);
    assert.equal(partBytesFor(10_000 * 8 * MIB + 1, 'warm'), 16 * MIB);
    assert.equal(partBytesFor(5 * 2 ** 40, 'warm'), 528 * MIB);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 * 2 ** 40 }), (bytes) => {
        const size = partBytesFor(bytes, 'warm');
        assert.ok(size % (8 * MIB) === 0 && Math.ceil(bytes / size) <= 10_000);
        assert.ok(size === 8 * MIB || Math.ceil(bytes / (size - 8 * MIB)) > 10_000);
      }),
    );
    assert.throws(() => partBytesFor(5 * 2 ** 40 + 1, 'warm'), { name: 'InvalidInput', message: /5 TiB/ });
  });
});
