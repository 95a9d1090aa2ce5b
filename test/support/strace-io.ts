/** Run under strace: a few calls on one file, each answered by `ok` or its error's code, as JSON. */
import { open } from 'node:fs/promises';
import { answerAndEnd } from './strace-script.ts';

const [path = ''] = process.argv.slice(2);
const file = await open(path, 'w+');
const content = Buffer.from('0123456789');
const answers: [name: string, answer: string][] = [];
const attempt = async (name: string, call: () => Promise<unknown>): Promise<void> => {
  const answer = await call().then(
    () => 'ok',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  );
  answers.push([name, answer]);
};
for (const index of [1, 2, 3]) await attempt(`write ${index}`, () => file.write(content, 0, content.length, index * content.length));
await attempt('sync', () => file.sync());
await attempt('read', () => file.read(Buffer.alloc(4), 0, 4, 0));
await file.close();
answerAndEnd(Object.fromEntries(answers));
