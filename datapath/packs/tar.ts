/**
 * Members of a tar archive as archive packs have them (docs/formats/archive-pack.md): each begins with a pax header, so that names of any length, times to the
 * millisecond and a CRC32C are carried and every tar since 2001 extracts them. A member's header says at which byte it stands, so that one found by scanning is no part of
 * another member's content.
 */

export const BLOCK_BYTES = 512;
export const NO_CRC32C = 'AAAAAA==';
/** Two blocks of zeros end an archive. */
export const TAR_END = Buffer.alloc(2 * BLOCK_BYTES);

export interface TarMember {
  readonly name: string;
  readonly bytes: number;
  /** Base64. */
  readonly crc32c: string;
  /** ISO instant. */
  readonly modifiedAt: string;
  /** Permission bits. */
  readonly mode: number;
  /** Of its first header block, from the archive's beginning. */
  readonly headerOffset: number;
}

const CRC32C_KEYWORD = 'PENSTOCK.crc32c';
const OFFSET_KEYWORD = 'PENSTOCK.offset';
const MAGIC = Buffer.from('ustar\x0000', 'latin1');
const MAGIC_OFFSET = 257;
const CHECKSUM = { offset: 148, bytes: 8 } as const;
const NAME_BYTES = 100;
const MAX_OCTAL = 0o77777777777;
/** Longer than any record of ours: a name has 1,024 bytes at most. */
const MAX_PAX_BYTES = 8 * BLOCK_BYTES;

export const padding = (bytes: number): number => (BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES;

/** Its length depends on name, time and offset alone. */
export function encodeHeader({ name, bytes, crc32c, modifiedAt, mode, headerOffset }: TarMember): Buffer {
  const milliseconds = Date.parse(modifiedAt);
  const pax = Buffer.from(
    [
      paxRecord('path', name),
      paxRecord('mtime', (milliseconds / 1000).toFixed(3)),
      paxRecord(CRC32C_KEYWORD, crc32c),
      paxRecord(OFFSET_KEYWORD, String(headerOffset)),
    ].join(''),
  );
  // What the old field cannot hold stands in the records.
  const seconds = Math.min(MAX_OCTAL, Math.max(0, Math.floor(milliseconds / 1000)));
  return Buffer.concat([
    block({ name: 'PaxHeaders/member', bytes: pax.length, type: 'x', mode: 0o644, seconds }),
    pax,
    Buffer.alloc(padding(pax.length)),
    block({ name: shortName(name), bytes, type: '0', mode, seconds }),
  ]);
}

/** `{length} {keyword}={value}\n`, where the length counts its own digits too. */
function paxRecord(keyword: string, value: string): string {
  const rest = Buffer.byteLength(` ${keyword}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${keyword}=${value}\n`;
}

/** For readers without pax: cut between characters. */
function shortName(name: string): string {
  let short = name;
  while (Buffer.byteLength(short) > NAME_BYTES) short = short.slice(0, -1);
  return short;
}

interface BlockFacts {
  readonly name: string;
  readonly bytes: number;
  readonly type: 'x' | '0';
  readonly mode: number;
  readonly seconds: number;
}

function block({ name, bytes, type, mode, seconds }: BlockFacts): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES);
  header.write(name, 0, NAME_BYTES, 'utf8');
  header.write(octal(mode, 7), 100, 'latin1');
  header.write(octal(0, 7), 108, 'latin1');
  header.write(octal(0, 7), 116, 'latin1');
  header.write(octal(bytes, 11), 124, 'latin1');
  header.write(octal(seconds, 11), 136, 'latin1');
  header.write(type, 156, 'latin1');
  MAGIC.copy(header, MAGIC_OFFSET);
  header.write(`${octal(checksumOf(header), 6)}\0 `, CHECKSUM.offset, 'latin1');
  return header;
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');

/** The sum of all bytes, its own field taken as spaces. */
function checksumOf(header: Buffer): number {
  let sum = CHECKSUM.bytes * 0x20;
  for (const [index, byte] of header.entries()) if (index < CHECKSUM.offset || index >= CHECKSUM.offset + CHECKSUM.bytes) sum += byte;
  return sum;
}

/** Length of the pax records behind this block; undefined where it is not the first block of a member of a pack. */
export function paxBytesIn(header: Buffer): number | undefined {
  const facts = parseBlock(header);
  return facts?.type === 'x' && facts.bytes > 0 && facts.bytes <= MAX_PAX_BYTES ? facts.bytes : undefined;
}

/** @param pax the records, @param header the block behind them. Undefined where the two are not a member that stands at this offset */
export function parseMember(pax: Buffer, header: Buffer, headerOffset: number): TarMember | undefined {
  const records = parsePax(pax);
  const facts = parseBlock(header);
  const name = records?.get('path');
  const milliseconds = Math.round(Number(records?.get('mtime')) * 1000);
  const crc32c = records?.get(CRC32C_KEYWORD);
  if (facts?.type !== '0' || name === undefined || crc32c === undefined || !/^[\w+/]{6}==$/.test(crc32c)) return undefined;
  if (records?.get(OFFSET_KEYWORD) !== String(headerOffset) || Number.isNaN(new Date(milliseconds).getTime())) return undefined;
  return { name, bytes: facts.bytes, crc32c, modifiedAt: new Date(milliseconds).toISOString(), mode: facts.mode, headerOffset };
}

function parseBlock(header: Buffer): { readonly type: string; readonly bytes: number; readonly mode: number } | undefined {
  if (header.length !== BLOCK_BYTES || !MAGIC.equals(header.subarray(MAGIC_OFFSET, MAGIC_OFFSET + MAGIC.length))) return undefined;
  if (fromOctal(header, CHECKSUM.offset, 6) !== checksumOf(header)) return undefined;
  const [bytes, mode] = [fromOctal(header, 124, 11), fromOctal(header, 100, 7)];
  return bytes === undefined || mode === undefined ? undefined : { type: header.toString('latin1', 156, 157), bytes, mode };
}

function fromOctal(header: Buffer, offset: number, digits: number): number | undefined {
  const text = header.toString('latin1', offset, offset + digits);
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

function parsePax(pax: Buffer): ReadonlyMap<string, string> | undefined {
  const records = new Map<string, string>();
  for (let position = 0; position < pax.length; ) {
    const space = pax.indexOf(0x20, position);
    const length = Number(pax.toString('latin1', position, space));
    const end = position + length;
    if (space < 0 || !Number.isInteger(length) || end <= space + 2 || end > pax.length || pax[end - 1] !== 0x0a) return undefined;
    const text = pax.toString('utf8', space + 1, end - 1);
    const equals = text.indexOf('=');
    if (equals < 1) return undefined;
    records.set(text.slice(0, equals), text.slice(equals + 1));
    position = end;
  }
  return records;
}
