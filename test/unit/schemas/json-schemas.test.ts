import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCurrent } from '../../../cli/reference/generated-file.ts';
import { jsonSchemaFiles } from '../../../cli/reference/json-schemas.ts';

for (const file of jsonSchemaFiles()) {
  test(`${file.path} is current: \`npm run schemas\` writes it`, async () => {
    assert.ok(await isCurrent(file));
  });

  test(`${file.path} has a relative name, a title and a meaning for itself and its fields`, () => {
    const schema = JSON.parse(file.content);
    assert.equal(`schemas/${schema.$id}`, file.path);
    assert.ok(schema.title && schema.description);
    for (const [name, field] of Object.entries<{ description?: string }>(schema.properties)) assert.ok(field.description, name);
  });
}

test('the schemas speak of what is sent: sizes may be text, and what has a default may be left out', () => {
  const files = new Map(jsonSchemaFiles().map((file) => [file.path, JSON.parse(file.content)]));
  assert.deepEqual(files.get('schemas/reserve-checkpoint.schema.json').properties.bytes.type, ['string', 'number']);
  assert.deepEqual(files.get('schemas/allocation.schema.json').required, ['tenant', 'project', 'allocationId', 'user']);
});
