/** `npm run schemas` */
import { writeGenerated } from './generated-file.ts';
import { jsonSchemaFiles } from './json-schemas.ts';

const changed = await writeGenerated(jsonSchemaFiles());
process.stdout.write(changed.length === 0 ? 'schemas/ is current\n' : `${changed.join('\n')}\n`);
