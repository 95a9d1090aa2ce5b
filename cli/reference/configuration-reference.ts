/** docs/configuration.md from the site file's schema: every field with its type, default and meaning. */
import * as z from 'zod';
import { SiteSchema } from '../../model/site.ts';
import type { GeneratedFile } from './generated-file.ts';
import { code, markdownTable } from './markdown.ts';

type Node = z.core.JSONSchema.BaseSchema;

interface Field {
  readonly path: string;
  readonly schema: Node;
  readonly isRequired: boolean;
  /** The nearest part above it that may be left out whole. */
  readonly optionalPart?: string | undefined;
}

const INTRODUCTION = `# The site file

<!-- Made by \`npm run docs\` from model/site.ts; edit there. -->

A site file says which Temporal, which stores, which racks and nodes, and which policies. \`temporal-dev.yaml\` is the
embedded site; a production site is another file of the same schema, with addresses instead of \`embedded\`. Unknown
fields are errors, and every error names the field, the value found and what would be accepted.
\`schemas/site.schema.json\` is the same for editors.

- **size**: a number of bytes, or text such as \`"500GB"\` (decimal) or \`"64MiB"\` (binary).
- **bandwidth**: bytes per second such as \`"2GB/s"\` or \`"500MiB/s"\`, or bits per second such as \`"10Gbps"\`.
- **secret**: a reference, \`env:NAME\` or \`file:PATH\`; a secret never stands in the file itself.
- \`embedded\` in place of an address: the part is started on loopback by \`npm run dev\`.`;

export function configurationReference(): GeneratedFile {
  const root = z.toJSONSchema(SiteSchema, { io: 'input' });
  const sections = [...Map.groupBy(fieldsOf(root, ''), sectionOf)].map(([section, fields]) => {
    const own = fields.find((field) => field.path === section);
    const told = fields.filter((field) => field !== own && (!isBranch(field.schema) || field.schema.description !== undefined));
    return [`## ${section}`, ...(own?.schema.description ? [`${own.schema.description}.`] : []), ...(told.length > 0 ? [fieldTable(told)] : [])].join('\n\n');
  });
  return { path: 'docs/configuration.md', content: `${[INTRODUCTION, ...sections].join('\n\n')}\n` };
}

/** Single fields at the top first; then a section for each part, and for each store. */
function sectionOf({ path, schema }: Field): string {
  const steps = path.split('.');
  const [top = '', second = ''] = steps.map((step) => step.replace('[]', ''));
  if (steps.length === 1 && !isBranch(schema)) return 'Top level';
  return top === 'stores' && second !== '' ? `stores.${second}` : top;
}

function fieldsOf(schema: Node, path: string, optionalPart?: string): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]): Field[] => {
    if (typeof child === 'boolean') return [];
    const here = path === '' ? name : `${path}.${name}`;
    const isRequired = schema.required?.includes(name) ?? false;
    const field = { path: here, schema: child, isRequired, optionalPart };
    const { items } = child;
    if (isNode(items) && items.properties) return [field, ...fieldsOf(items, `${here}[]`, optionalPart)];
    // A map to one of several kinds: the fields of each, one kind after the other.
    const kinds = isNode(child.additionalProperties) ? kindsOf(child.additionalProperties) : [];
    if (kinds.length > 0) return [field, ...kinds.flatMap((kind) => fieldsOf(kind, `${here}.NAME`))];
    return [field, ...fieldsOf(child, here, isRequired || child.default !== undefined ? optionalPart : here)];
  });
}

const kindsOf = (values: Node): Node[] => (values.oneOf ?? (values.properties ? [values] : [])).filter(isNode);

/** A field that is told by the fields below it. */
function isBranch(schema: Node): boolean {
  return schema.properties !== undefined || (isNode(schema.items) && schema.items.properties !== undefined);
}

function isNode(value: Node['items']): value is Node {
  return typeof value === 'object' && !Array.isArray(value);
}

function fieldTable(fields: readonly Field[]): string {
  return markdownTable(
    ['field', 'type', 'default', 'meaning'],
    fields.map((field) => [code(field.path), typeOf(field.schema), defaultOf(field), field.schema.description ?? '']),
  );
}

function defaultOf({ schema, isRequired, optionalPart }: Field): string {
  if (schema.default !== undefined) return isBranch(schema) ? 'as below' : code(JSON.stringify(schema.default));
  if (!isRequired) return 'none';
  return optionalPart === undefined ? 'required' : `required in ${code(optionalPart)}`;
}

function typeOf(schema: Node): string {
  if (schema.title) return schema.title;
  if (isBranch(schema)) return schema.properties ? 'part' : 'list';
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum) return schema.enum.map((value) => code(JSON.stringify(value))).join(', ');
  if (schema.anyOf) return schema.anyOf.map((branch) => (typeof branch === 'boolean' ? '' : typeOf(branch))).join(' or ');
  if (isNode(schema.items)) return `list of ${typeOf(schema.items)}`;
  if (isNode(schema.additionalProperties)) return schema.additionalProperties.oneOf ? 'map to parts' : `map to ${typeOf(schema.additionalProperties)}`;
  if (schema.format === 'uri') return 'URL';
  if (schema.pattern === '^(env|file):.+') return 'secret';
  if (schema.type === 'number' || schema.type === 'integer') return `${schema.type === 'integer' ? 'whole number' : 'number'}${range(schema)}`;
  return schema.type === 'string' ? 'text' : String(schema.type ?? 'any');
}

function range({ minimum, maximum, exclusiveMinimum }: Node): string {
  const low = exclusiveMinimum === undefined ? minimum : `above ${exclusiveMinimum}`;
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (low === undefined) return isBounded ? ` up to ${maximum}` : '';
  return isBounded ? `, ${low} to ${maximum}` : `, ${typeof low === 'number' ? `at least ${low}` : low}`;
}
