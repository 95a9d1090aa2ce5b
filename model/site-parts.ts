/** Parts that several stores of the site file share. */
import * as z from 'zod';

export const UrlSchema = z.url({ protocol: /^https?$/, message: '"embedded" or a URL such as "https://s3.example:9000"' });

export const SecretSchema = z
  .string()
  .regex(/^(env|file):.+/, 'a reference, "env:NAME" or "file:PATH"; secrets never stand in the site file')
  .describe('A reference to a secret, never the secret');

export const CredentialsSchema = z.strictObject({ accessKeyId: SecretSchema, secretAccessKey: SecretSchema });

export const JurisdictionSchema = z
  .string()
  .regex(/^[a-z]{2}$/, 'a two-letter country code such as "ch"')
  .describe('The country whose law the data lies under, as a two-letter code');

export const RegionSchema = z.string().default('us-east-1').describe('The region that requests are signed for');

/** An S3 that somebody else runs: never embedded. */
export const foreignS3 = {
  driver: z.literal('s3').describe('Any product that speaks S3'),
  endpoint: UrlSchema.describe('Where S3 is spoken'),
  region: RegionSchema,
  credentials: CredentialsSchema.describe('References to its keys'),
  ca: SecretSchema.optional().describe("A reference to the PEM of the site's own certificate authority, trusted beside the usual ones"),
};
