/** What a command works with: the options that every command has, the site, the connections it opened, and where to write. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { styleText } from 'node:util';
import type { Penstock } from '../client/penstock.ts';
import type { Stores } from '../drivers/open-site.ts';
import { loadSiteFile } from '../drivers/site-file.ts';
import type { Site } from '../model/site.ts';
import { CliError } from './cli-error.ts';
import { escapeText } from './output/escape.ts';
import type { OutputFormat } from './output/render.ts';

/** The outside world; tests give their own. */
export interface Io {
  readonly stdout: (text: string) => void;
  /** Onto stdout as they are, where the answer is somebody's data; settles when they are taken. */
  readonly writeBytes: (bytes: Uint8Array) => Promise<void>;
  readonly stderr: (text: string) => void;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hasColor: boolean;
  connect(site: Site): Promise<Penstock>;
  openStores(site: Site): Promise<Stores>;
  now(): Date;
  delay(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Calls back when the person at the terminal wants to leave, instead of ending at once. @returns forgets it again. Absent where nobody can. */
  onInterrupt?(leave: () => void): () => void;
}

export interface Globals {
  readonly output: OutputFormat;
  readonly site?: string;
  readonly color: boolean;
  readonly verbose?: boolean;
}

/** Where a site that was started here leaves its resolved site file, below the current folder. */
export const LOCAL_SITE_FILE = join('.penstock', 'dev', 'site.yaml');
export const EMBEDDED_SITE_FILE = 'temporal-dev.yaml';
const NO_SITE = 'no site is up here: run `npm run dev`, or pass --site FILE.';

export class Session {
  readonly io: Io;
  readonly globals: Globals;
  #site: Promise<Site> | undefined;
  #penstock: Promise<Penstock> | undefined;

  constructor(io: Io, globals: Globals) {
    this.io = io;
    this.globals = globals;
  }

  /** Progress and messages: on stderr, so that stdout is only data. */
  note(line: string): void {
    this.io.stderr(`${escapeText(line)}\n`);
  }

  paint(color: 'green' | 'red' | 'yellow' | 'dim', text: string): string {
    return this.io.hasColor && this.globals.color ? styleText(color, text, { validateStream: false }) : text;
  }

  /** --site, else $PENSTOCK_SITE, else the site that was started here. @throws CliError unreachable where none is up */
  get siteFile(): string {
    const named = this.globals.site ?? this.io.env['PENSTOCK_SITE'];
    if (named) return named;
    const local = join(this.io.cwd, LOCAL_SITE_FILE);
    if (!existsSync(local)) throw new CliError('unreachable', NO_SITE, { type: 'Unreachable' });
    return local;
  }

  site(): Promise<Site> {
    this.#site ??= loadSiteFile(this.siteFile);
    return this.#site;
  }

  async stores(): Promise<Stores> {
    return this.io.openStores(await this.#runningSite());
  }

  penstock(): Promise<Penstock> {
    this.#penstock ??= this.#runningSite().then((site) => this.io.connect(site));
    return this.#penstock;
  }

  async close(): Promise<void> {
    await this.#penstock?.then(
      (penstock) => penstock.close(),
      () => undefined,
    );
  }

  async #runningSite(): Promise<Site> {
    const site = await this.site();
    if (site.temporal.address === 'embedded') {
      throw new CliError(
        'unreachable',
        `${this.siteFile} describes an embedded site; where it runs, it leaves a file with real addresses. Use ${LOCAL_SITE_FILE}, or bring it up with \`npm run dev\`.`,
      );
    }
    return site;
  }
}
