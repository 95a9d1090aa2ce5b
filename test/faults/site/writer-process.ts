/** `node writer-process.ts SITE_FILE ALLOCATION CHECKPOINT SEED`: the node's agent. It says each acknowledgement on standard output, until it is killed. */
import { Readable } from 'node:stream';
import { openCheckpointStores, openCheckpointWriter } from '../../../client/checkpoint/index.ts';
import { sha256 } from '../../support/facts.ts';
import { keyOf, NODE } from '../../support/scenario.ts';
import { sayLine } from '../harness/written-lines.ts';
import { siteFilesOf } from './files.ts';

const [siteFile = '', allocationId = '', checkpointId = '', seed = ''] = process.argv.slice(2);
const files = siteFilesOf(Number(seed), checkpointId);
const writer = await openCheckpointWriter(await openCheckpointStores(siteFile), {
  key: { ...keyOf(allocationId), checkpointId },
  nodeId: NODE.nodeId,
  signal: new AbortController().signal,
  onAcknowledged: ({ path, offset, bytes }) => {
    const content = files.get(path)?.subarray(offset, offset + bytes) ?? Buffer.alloc(0);
    sayLine({ kind: 'chunk', path, offset, bytes, sha256: sha256(content) });
  },
});
for (const [path, content] of files) await writer.addFile(path, Readable.from([content]), content.length);
sayLine({ kind: 'begun' });
await writer.commit();
sayLine({ kind: 'committed' });
await writer.close();
