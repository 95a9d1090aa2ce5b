/** An S3 server with archive classes: a gateway keeps the bytes, this proxy before it keeps what is archived and restored. */
import { appendFile } from 'node:fs/promises';
import { Agent, createServer, type IncomingMessage, request as requestUpstream, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { createS3Client } from '../../drivers/object-store/s3-client.ts';
import { httpStatus } from '../../drivers/object-store/s3-errors.ts';
import { archiveHeaders, invalidObjectState, phaseOf, refuse, S3Refusal } from './answers.ts';
import type { ColdTierConfig } from './config.ts';
import { copySourceOf, isArchiveClass, parseRequest, type S3Request, storageClassOf, versionOf } from './request.ts';
import { parseRestoreRequest, restore } from './restore.ts';
import { type ArchiveState, type ObjectName, openArchiveState } from './state.ts';

const HOST = '127.0.0.1';

export interface ColdTierOptions {
  /** Milliseconds since the epoch; tests turn it. */
  readonly now?: () => number;
}
export interface RunningColdTier {
  readonly url: string;
  close(): Promise<void>;
}

export async function startColdTierEmulator(config: ColdTierConfig, { now = Date.now }: ColdTierOptions = {}): Promise<RunningColdTier> {
  const agent = new Agent({ keepAlive: true });
  const { endpoint, region, ...credentials } = config.upstream;
  const client = createS3Client({ name: 'upstream', endpoint, region, credentials });
  const tier: Tier = { config, state: await openArchiveState(config.stateFile), now, agent, head: (name) => headUpstream(client, name) };
  const server = createServer((incoming, response) => {
    serve(tier, incoming, response).catch((error: unknown) => {
      if (error instanceof S3Refusal && !response.headersSent) refuse(response, error, incoming.method !== 'HEAD');
      // As if the connection had been cut: a client tries again.
      else response.destroy();
      incoming.resume();
    });
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, HOST, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
  return {
    url: `http://${HOST}:${port}`,
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      agent.destroy();
      client.destroy();
      await closed;
    },
  };
}

export interface Access {
  readonly operation: 'read' | 'restore';
  readonly bucket: string;
  readonly key: string;
  readonly status: number;
  /** Of a read, as `Content-Range` answers it; absent where all of it was read. */
  readonly range?: string;
}

interface Tier {
  readonly config: ColdTierConfig;
  readonly state: ArchiveState;
  readonly now: () => number;
  readonly agent: Agent;
  /** The version that is there; undefined where there is none. */
  head(name: ObjectName): Promise<ObjectName | undefined>;
}

async function serve(tier: Tier, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const request = parseRequest(incoming);
  if (request.method === 'POST' && request.query.has('restore')) return await answerRestore(tier, request, incoming, response);
  const storageClass = storageClassOf(incoming);
  const source = copySourceOf(incoming);
  if (source) await demandReadable(tier, source, request);
  const answer = await forward(tier, incoming);
  const isGood = (answer.statusCode ?? 500) < 300;
  if (isGood && request.name.key !== '') return await answerGood(tier, { request, storageClass, answer, response });
  await pass(answer, response);
}

async function answerRestore({ head, ...tier }: Tier, { name }: S3Request, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const { accessKeyId } = tier.config.upstream;
  if (!incoming.headers.authorization?.includes(`Credential=${accessKeyId}/`)) throw new S3Refusal(403, 'AccessDenied', 'Access Denied');
  const wanted = parseRestoreRequest(await text(incoming));
  const found = await head(name);
  if (!found) throw new S3Refusal(404, 'NoSuchKey', 'The specified key does not exist.');
  const status = await restore({ ...tier, now: tier.now() }, tier.state.find(found), wanted);
  await note(tier, { operation: 'restore', bucket: name.bucket, key: name.key, status });
  response.writeHead(status, { 'content-length': 0 }).end();
}

/** CopyObject has an error of its own for a source that is archived. */
async function demandReadable({ state, head, now }: Tier, source: ObjectName, { query }: S3Request): Promise<void> {
  const archived = state.find((await head(source)) ?? source);
  if (!archived || phaseOf(archived, now()) === 'restored') return;
  if (query.has('uploadId')) throw invalidObjectState(archived);
  throw new S3Refusal(
    403,
    'ObjectNotInActiveTierError',
    'The source object of the COPY operation is not in the active tier and is only stored in Amazon S3 Glacier.',
  );
}

interface Good {
  readonly request: S3Request;
  readonly storageClass: string;
  readonly answer: IncomingMessage;
  readonly response: ServerResponse;
}

async function answerGood(tier: Tier, { request, storageClass, answer, response }: Good): Promise<void> {
  const { state } = tier;
  const { method, query, isPlain } = request;
  const versionId = versionOf(answer.headers['x-amz-version-id']);
  const name = { ...request.name, versionId };
  if (isPlain && (method === 'GET' || method === 'HEAD')) return await answerRead(tier, name, method, answer, response);
  if (isPlain && method === 'PUT') await remember(state, name, storageClass);
  if (isPlain && method === 'DELETE' && answer.headers['x-amz-delete-marker'] !== 'true') await state.forget(request.name);
  const uploadId = query.get('uploadId');
  if (method === 'DELETE' && uploadId) await state.endUpload(uploadId);
  if (method === 'POST' && (query.has('uploads') || uploadId)) {
    const body = await text(answer);
    const begun = /<UploadId>([^<]+)<\/UploadId>/.exec(body)?.[1];
    if (query.has('uploads') && begun) await state.beginUpload(begun, storageClass);
    // A completion may be refused in the body of a 200.
    if (uploadId && body.includes('<CompleteMultipartUploadResult')) await completed(state, name, uploadId);
    response.writeHead(answer.statusCode ?? 200, withoutLength(answer)).end(body);
    return;
  }
  await pass(answer, response);
}

async function answerRead(
  { config, state, now }: Tier,
  name: ObjectName,
  method: 'GET' | 'HEAD',
  answer: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const archived = state.find(name);
  if (!archived) return await pass(answer, response);
  const at = now();
  if (method === 'GET' && phaseOf(archived, at) !== 'restored') {
    answer.destroy();
    throw invalidObjectState(archived);
  }
  const { 'content-range': range } = answer.headers;
  if (method === 'GET')
    await note({ config }, { operation: 'read', bucket: name.bucket, key: name.key, status: answer.statusCode ?? 200, ...(range ? { range } : {}) });
  await pass(answer, response, archiveHeaders(archived, at));
}

async function note({ config }: Pick<Tier, 'config'>, access: Access): Promise<void> {
  if (config.accessLog !== undefined) await appendFile(config.accessLog, `${JSON.stringify(access)}\n`);
}

/** An object that is written anew begins without a restore, and where it is in no archive class it is forgotten. */
async function remember(state: ArchiveState, name: ObjectName, storageClass: string): Promise<void> {
  if (isArchiveClass(storageClass)) await state.put({ ...name, storageClass });
  else await state.forget(name);
}

async function completed(state: ArchiveState, name: ObjectName, uploadId: string): Promise<void> {
  await remember(state, name, state.classOfUpload(uploadId) ?? 'STANDARD');
  await state.endUpload(uploadId);
}

function forward({ config, agent }: Tier, incoming: IncomingMessage): Promise<IncomingMessage> {
  const { hostname, port } = new URL(config.upstream.endpoint);
  return new Promise((resolve, reject) => {
    const outgoing = requestUpstream({ agent, hostname, port, method: incoming.method, path: incoming.url, headers: headersOf(incoming) }, resolve);
    outgoing.on('error', reject);
    pipeline(incoming, outgoing).catch(reject);
  });
}

/** As they came, the signed Host too; the wait for 100 Continue was this server's. */
function headersOf({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.flatMap((text, index) => (index % 2 === 0 && text.toLowerCase() !== 'expect' ? [text, rawHeaders[index + 1] ?? ''] : []));
}

function withoutLength({ headers: { 'content-length': _length, 'transfer-encoding': _encoding, ...headers } }: IncomingMessage) {
  return headers;
}

async function pass(answer: IncomingMessage, response: ServerResponse, more: Readonly<Record<string, string>> = {}): Promise<void> {
  response.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...more });
  await pipeline(answer, response);
}

async function headUpstream(client: ReturnType<typeof createS3Client>, { bucket, key, versionId }: ObjectName): Promise<ObjectName | undefined> {
  try {
    const { VersionId } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ...(versionId === '' ? {} : { VersionId: versionId }) }));
    return { bucket, key, versionId: versionOf(VersionId) };
  } catch (error) {
    if (httpStatus(error) === 404) return undefined;
    throw error;
  }
}
