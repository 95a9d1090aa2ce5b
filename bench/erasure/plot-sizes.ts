/**
 * `node bench/erasure/plot-sizes.ts FIGURES.json docs/images/erasure-sizes.svg`: the time that an object takes by its size, both axes logarithmic, from what
 * `npm run bench -- erasure --json FIGURES.json` wrote.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';

const [from, to] = process.argv.slice(2);
if (!from || !to) throw new Error('usage: plot-sizes.ts FIGURES.json PICTURE.svg');

interface Point {
  readonly bytes: number;
  readonly milliseconds: number;
}
interface Line {
  readonly name: string;
  readonly colour: string;
  readonly dashes: string;
  readonly points: readonly Point[];
}

const rowsSchema = z.array(z.object({ case: z.string(), metric: z.string(), ours: z.number().nullable() }));
const rows = rowsSchema.parse(JSON.parse(await readFile(from, 'utf8')));
const styles = { s3: { colour: '#1f6feb', title: 'S3 buckets' }, posix: { colour: '#bc4c00', title: 'directories' } } as const;
const lines = (['s3', 'posix'] as const).flatMap((kind) =>
  (['write', 'read'] as const).map(
    (metric): Line => ({
      name: `${metric}, ${styles[kind].title}`,
      colour: styles[kind].colour,
      dashes: metric === 'write' ? '' : '6 4',
      points: rows.flatMap((row) => {
        const [word, place, size = ''] = row.case.split('/');
        const bytes = bytesOf(size);
        return word === 'sizes' && place === kind && row.metric === metric && row.ours !== null && bytes !== undefined
          ? [{ bytes, milliseconds: row.ours }]
          : [];
      }),
    }),
  ),
);
const points = lines.flatMap((line) => line.points);
if (points.length === 0) throw new Error(`${from} has no rows of the cases "sizes/..."; run the benchmark without --case`);
await writeFile(to, picture());

function bytesOf(name: string): number | undefined {
  const [, count, unit] = /^(\d+)(KiB|MiB|GiB)$/.exec(name) ?? [];
  return count === undefined ? undefined : Number(count) * { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }[z.enum(['KiB', 'MiB', 'GiB']).parse(unit)];
}

function picture(): string {
  const [width, height, left, right, top, bottom] = [760, 440, 70, 24, 24, 56];
  const xs = points.map(({ bytes }) => Math.log2(bytes));
  const ys = points.map(({ milliseconds }) => Math.log10(milliseconds));
  const [xLow, xHigh, yLow, yHigh] = [Math.min(...xs), Math.max(...xs), Math.floor(Math.min(...ys)), Math.ceil(Math.max(...ys))];
  const x = (bytes: number): number => left + ((Math.log2(bytes) - xLow) / Math.max(1, xHigh - xLow)) * (width - left - right);
  const y = (milliseconds: number): number => height - bottom - ((Math.log10(milliseconds) - yLow) / Math.max(1, yHigh - yLow)) * (height - top - bottom);
  const sizes = [...new Set(points.map(({ bytes }) => bytes))].sort((a, b) => a - b);
  const text = (at: { x: number; y: number; anchor: string }, content: string): string =>
    `<text x="${at.x.toFixed(1)}" y="${at.y.toFixed(1)}" text-anchor="${at.anchor}">${content}</text>`;
  const decades = Array.from({ length: yHigh - yLow + 1 }, (_, index) => 10 ** (yLow + index));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#1f2328">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...decades.flatMap((decade) => [
      `<line x1="${left}" x2="${width - right}" y1="${y(decade).toFixed(1)}" y2="${y(decade).toFixed(1)}" stroke="#d0d7de"/>`,
      text({ x: left - 8, y: y(decade) + 4, anchor: 'end' }, decade < 1000 ? `${decade} ms` : `${decade / 1000} s`),
    ]),
    ...sizes.map((bytes, index) => text({ x: x(bytes), y: height - bottom + (index % 2 === 0 ? 18 : 32), anchor: 'middle' }, nameOf(bytes))),
    ...lines.flatMap(({ colour, dashes, name, points: of }, index) => [
      `<polyline fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dashes}" points="${of.map((point) => `${x(point.bytes).toFixed(1)},${y(point.milliseconds).toFixed(1)}`).join(' ')}"/>`,
      `<line x1="${left + 16}" x2="${left + 46}" y1="${top + 14 + index * 18}" y2="${top + 14 + index * 18}" stroke="${colour}" stroke-width="2" stroke-dasharray="${dashes}"/>`,
      text({ x: left + 54, y: top + 18 + index * 18, anchor: 'start' }, name),
    ]),
    text({ x: (left + width - right) / 2, y: height - 6, anchor: 'middle' }, 'size of the object'),
    '</svg>',
    '',
  ].join('\n');
}

function nameOf(bytes: number): string {
  const power = Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${bytes / 2 ** (10 * power)} ${['B', 'KiB', 'MiB', 'GiB'][power]}`;
}
