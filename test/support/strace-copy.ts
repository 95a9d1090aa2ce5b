/** Run under strace: one attempt of a copy between two directories, and what came of it as JSON. */
import { copyEntries } from '../../datapath/transfer/copy.ts';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { answerAndEnd } from './strace-script.ts';

const [from = '', to = '', attributes] = process.argv.slice(2);
const source = createFileEndpoint(createPosixFileStore({ name: 'source', root: from }), '');
const target = createFileEndpoint(createPosixFileStore({ name: 'target', root: to }), '');
const { entries } = await source.list();
const outcome = await copyEntries({ source, target, entries, attempt: '1', concurrency: 2, attributes: attributes !== undefined }).then(
  ({ done, failed }) => ({ done: done.map(({ path }) => path), failed: failed.map(({ path, type }) => [path, type]), error: '' }),
  (error: unknown) => ({ done: [], failed: [], error: error instanceof Error ? error.name : String(error) }),
);
answerAndEnd(outcome);
