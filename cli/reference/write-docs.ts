/** `npm run docs` */
import { cliReference } from './cli-reference.ts';
import { configurationReference } from './configuration-reference.ts';
import { writeGenerated } from './generated-file.ts';

const changed = await writeGenerated([cliReference(), configurationReference()]);
process.stdout.write(changed.length === 0 ? 'docs/cli.md and docs/configuration.md are current\n' : `${changed.join('\n')}\n`);
