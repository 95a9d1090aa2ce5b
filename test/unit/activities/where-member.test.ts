/** Where a small file of a checkpoint lies: in its pack, whose length is not its own. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { whereIs } from '../../../activities/where.ts';
import { locatedText } from '../../../cli/views/located.ts';
import { drainFiles } from '../../../datapath/checkpoint/drain.ts';
import { crc32cText } from '../../../datapath/erasure/format.ts';
import { crc32c } from '../../../datapath/native/crc32c.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { recordingStores } from '../cli/recording-stores.ts';
import { siteFile } from '../cli/support.ts';
import { checkpointSite, PREFIX } from '../datapath/checkpoint/support.ts';
import { noise } from '../datapath/erasure/support.ts';

it('a file in a pack is shown with its own length and checksum, and apart from them the pack with its own', async () => {
  const site = await checkpointSite();
  try {
    const body = noise(61);
    await site.commit(new Map([...Array.from({ length: 9 }, (_, index) => [`part-${index}`, noise(700, index + 2)] as const), ['small.bin', body]]));
    await drainFiles(site.drain);
    const { stores } = recordingStores(await loadSiteFile(siteFile));
    const located = await whereIs({ ...stores, shardRacks: site.racks }, `${PREFIX}small.bin`);
    const checksum = crc32cText(crc32c(body));
    assert.deepEqual(located.memberContent, { bytes: 61, crc32c: checksum });
    const text = locatedText(located);
    assert.ok(text.includes(`61 B (61 bytes), CRC32C ${checksum}`), text);
    assert.match(text, /^of the pack +\d.*SHA-256 [0-9a-f]{64}$/m);
    assert.match(text, /^margin +4: .*by names and sizes; content is read by scrub$/m);
  } finally {
    await site.close();
  }
});
