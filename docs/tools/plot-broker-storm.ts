/** `node docs/tools/plot-broker-storm.ts docs/images/broker-storm.svg`: the storm of docs/tools/broker-storm.ts, above what is sent, below what those get who answer people. */
import { writeFile } from 'node:fs/promises';
import { fabric, PICTURE_SECONDS, type Point, RACKS, type Storm, withBroker, withoutBroker } from './broker-storm.ts';

const [to] = process.argv.slice(2);
if (!to) throw new Error('usage: plot-broker-storm.ts PICTURE.svg');

const [WIDTH, HEIGHT] = [760, 500];
const [LEFT, RIGHT] = [76, 24];
/** One point a step is enough for the eye. */
const STEP_SECONDS = 4;
const styles = [
  { name: 'without a broker', colour: '#bc4c00', storm: withoutBroker() },
  { name: 'with a broker', colour: '#1f6feb', storm: withBroker() },
] as const;

interface Panel {
  readonly title: string;
  readonly top: number;
  readonly bottom: number;
  /** Of the axis, in terabytes per second. */
  readonly most: number;
  readonly ticks: readonly number[];
  readonly value: (point: Point) => number;
}
const panels: readonly Panel[] = [
  { title: 'sent into the fabric', top: 40, bottom: 250, most: 30, ticks: [0, 10, 20, 30], value: ({ offered }) => offered / 1e12 },
  { title: 'of it: what answers people', top: 300, bottom: 420, most: 0.8, ticks: [0, 0.2, 0.4, 0.6, 0.8], value: ({ answering }) => answering / 1e12 },
];
await writeFile(to, picture());

function picture(): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#1f2328">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    ...panels.flatMap(panelOf),
    ...[0, 300, 600, 900, 1200].map((second) => text(xOf(second), 440, 'middle', `${second / 60} min`)),
    text((LEFT + WIDTH - RIGHT) / 2, 466, 'middle', `${RACKS} racks begin to drain 8 TB each after a minute`),
    text((LEFT + WIDTH - RIGHT) / 2, 484, 'middle', styles.map(safeAfter).join('; ')),
    '</svg>',
    '',
  ].join('\n');
}

function panelOf(panel: Panel): string[] {
  const y = (terabytes: number): number => panel.bottom - (terabytes / panel.most) * (panel.bottom - panel.top);
  const capacity = fabric.capacity / 1e12;
  return [
    text(LEFT, panel.top - 10, 'start', panel.title),
    ...panel.ticks.flatMap((tick) => [line(y(tick), '#d0d7de', ''), text(LEFT - 8, y(tick) + 4, 'end', `${tick} TB/s`)]),
    ...(capacity < panel.most ? [line(y(capacity), '#1f2328', '4 4'), text(WIDTH - RIGHT, y(capacity) - 5, 'end', `what it carries: ${capacity} TB/s`)] : []),
    ...styles.map(({ colour, storm }) => {
      const points = stepsOf(storm).map(({ second, point }) => `${xOf(second).toFixed(1)},${y(panel.value(point)).toFixed(1)}`);
      return `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.join(' ')}"/>`;
    }),
    ...styles.map(
      ({ name, colour }, index) =>
        `<text x="${WIDTH - RIGHT - 150 * (styles.length - 1 - index)}" y="${panel.top - 10}" text-anchor="end" fill="${colour}">${name}</text>`,
    ),
  ];
}

/** What holds at each step, with a corner where it jumps. */
function stepsOf({ points }: Storm): { second: number; point: Point }[] {
  const steps: { second: number; point: Point }[] = [];
  let index = 0;
  for (let second = 0; second <= PICTURE_SECONDS; second += STEP_SECONDS) {
    const before = points[index];
    while ((points[index + 1]?.second ?? Infinity) <= second) index++;
    const point = points[index];
    if (before && before !== point) steps.push({ second, point: before });
    if (point) steps.push({ second, point });
  }
  return steps;
}

function safeAfter({ name, storm }: (typeof styles)[number]): string {
  const minutes = (seconds = 0): string => (seconds / 60).toFixed(1);
  return `${name} half are safe after ${minutes(storm.drainedSeconds[RACKS / 2])} min, all after ${minutes(storm.drainedSeconds.at(-1))}`;
}

function xOf(second: number): number {
  return LEFT + (second / PICTURE_SECONDS) * (WIDTH - LEFT - RIGHT);
}

function line(y: number, colour: string, dashes: string): string {
  return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}" stroke="${colour}" stroke-dasharray="${dashes}"/>`;
}

function text(x: number, y: number, anchor: string, content: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${content}</text>`;
}
