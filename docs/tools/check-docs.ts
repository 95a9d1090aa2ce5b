/**
 * Holds the documents to the tree: relative links lead somewhere, files named in backticks exist, and test titles quoted after a test file are
 * in it. Run `node_modules/.bin/node docs/tools/check-docs.ts`; prints what is wrong and exits with 1.
 */
import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const OUR_FILE = /^(?:test|docs|drivers|datapath|model|workflows|activities|workers|client|cli|dev|bench|schemas|examples)\/[\w./-]+\.\w+$/;
const wrong: string[] = [];
const documents = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];
for await (const document of glob('docs/**/*.md')) documents.push(document);

for (const document of documents) {
  const text = await readFile(document, 'utf8');
  const links = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target = '']) => target).filter((target) => !/^[a-z]+:/.test(target));
  for (const target of links) if (!existsSync(join(dirname(document), target))) wrong.push(`${document}: no ${target} to link to`);
  const files = [...text.matchAll(/`([^`\s]+)`/g)].map(([, name = '']) => name).filter((name) => OUR_FILE.test(name));
  for (const file of files) if (!existsSync(file)) wrong.push(`${document}: no file ${file}`);
  for (const [, file = '', titles = ''] of text.matchAll(/`(test\/[\w./-]+\.ts)`[:,] ((?:"[^"]+"(?:, )?)+)/g)) {
    if (!existsSync(file)) continue; // told above
    const tests = await readFile(file, 'utf8');
    for (const [, title = ''] of titles.matchAll(/"([^"]+)"/g)) {
      if (!tests.includes(title.replaceAll("'", "\\'")) && !tests.includes(title)) wrong.push(`${document}: ${file} has no test "${title}"`);
    }
  }
}
for (const line of wrong) process.stdout.write(`${line}\n`);
process.stdout.write(`${documents.length} documents, ${wrong.length} wrong\n`);
process.exit(wrong.length > 0 ? 1 : 0);
