/** Directories as a source has them: closed ones stay closed, empty ones arrive, and what cannot be moved is named. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { checkManifest } from '../../datapath/transfer/check.ts';
import { copyEntries } from '../../datapath/transfer/copy.ts';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { posixError } from '../../drivers/file-store/posix-errors.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';
import { ensureStrace } from '../support/strace.ts';
import { listPages } from '../support/transfer-places.ts';

let gateway: TestGateway;
let root = '';

before(async () => {
  gateway = await startTestGateway();
  await gateway.store.ensureBucket('archive', { objectLock: true });
  root = await mkdtemp(join(tmpdir(), 'penstock-directories-'));
});
after(async () => {
  await gateway.stop();
  await rm(root, { recursive: true, force: true });
});

const files = (path: string, symlinks: 'keep' | 'follow' = 'keep') => createFileEndpoint(createPosixFileStore({ name: 'hot', root }), path, { symlinks });
const onDisk = (path: string): string => join(root, path);
const modeOf = async (path: string): Promise<string> => ((await stat(onDisk(path))).mode & 0o7777).toString(8);

/** Made with the mode, whatever the umask. */
async function directory(path: string, mode = 0o755): Promise<void> {
  await mkdir(onDisk(path), { recursive: true });
  await chmod(onDisk(path), mode);
}

async function move(from: string, to: string, options: { readonly attributes?: boolean; readonly umask?: number } = {}) {
  const [source, target] = [files(from), files(to)];
  const before = process.umask(options.umask ?? 0o022);
  try {
    const entries = await listPages(source);
    return await copyEntries({ source, target, entries, attempt: '1', concurrency: 4, attributes: options.attributes ?? true });
  } finally {
    process.umask(before);
  }
}

describe('a directory made on the way', () => {
  before(async () => {
    await directory('priv', 0o750);
    await directory('priv/home', 0o700);
    await directory('priv/links', 0o711);
    await directory('priv/shared', 0o2775);
    await directory('priv/read-only', 0o755);
    for (const path of ['home/key', 'shared/plan', 'read-only/book']) await writeFile(onDisk(`priv/${path}`), 'content', { mode: 0o644 });
    await symlink('../home/key', onDisk('priv/links/key'));
    await chmod(onDisk('priv/read-only'), 0o555);
  });

  it('has the mode of the one it stands for, whatever the umask; those above the target have the usual', async () => {
    for (const umask of [0o000, 0o077]) {
      const to = `up-${umask}/copy`;
      assert.deepEqual((await move('priv', to, { umask })).failed, []);
      const found = await Promise.all(['', '/home', '/links', '/shared', '/read-only'].map((path) => modeOf(`${to}${path}`)));
      // Whoever fills a directory must be able to: its owner may always write there.
      assert.deepEqual(found, ['750', '700', '711', '775', '755']);
      assert.equal(await modeOf(`up-${umask}`), (0o755 & ~umask).toString(8));
    }
  });

  it('has it from its first moment', async () => {
    const [strace, log] = [await ensureStrace(), onDisk('calls')];
    const script = join(import.meta.dirname, '../support/strace-copy.ts');
    await directory('seen');
    // The script ends by killing itself.
    const { stdout, stderr } = spawnSync(
      'sh',
      [
        ...['-c', 'umask 0; exec "$@"', 'sh', strace, '--follow-forks', '--quiet=all', `--output=${log}`, '--trace=mkdir,mkdirat'],
        ...[process.execPath, script, onDisk('priv'), onDisk('seen'), 'attributes'],
      ],
      { encoding: 'utf8' },
    );
    // A call that another thread's falls into is told in two lines: what was asked is in the first.
    const calls = (await readFile(log, 'utf8')).match(/mkdir(?:at)?\(.*\/(?:home|links)", 0\d+/g) ?? [];
    assert.deepEqual(calls.map((call) => call.replace(/.*\/(\w+)", (0\d+)/, '$1 $2')).sort(), ['home 0700', 'links 0711'], `${stdout}${stderr}`);
  });

  it('keeps its mode where it is there already', async () => {
    await directory('there/home', 0o770);
    assert.deepEqual((await move('priv', 'there')).failed, []);
    assert.equal(await modeOf('there/home'), '770');
  });

  it('has the usual mode where attributes are not carried', async () => {
    assert.deepEqual((await move('priv', 'plain', { attributes: false })).failed, []);
    assert.deepEqual([await modeOf('plain/home'), await modeOf('plain/links')], ['755', '755']);
  });
});

describe('an empty directory', () => {
  before(async () => {
    for (const path of ['', '/a', '/a.b', '/b/c', '/d', '/z']) await directory(`bare${path}`);
    await chmod(onDisk('bare/b/c'), 0o710);
    for (const path of ['a-file', 'd/x', 'd/y']) await writeFile(onDisk(`bare/${path}`), 'content');
  });
  const expected = ['a-file', 'a.b/', 'a/', 'b/c/', 'd/x', 'd/y', 'z/'];

  it('is listed in its place with a final "/", on pages of any size, each from a walk of its own', async () => {
    for (const limit of [1, 2, 3, 1000]) {
      const found: string[] = [];
      for (let after: string | undefined; ; ) {
        const page: Awaited<ReturnType<ReturnType<typeof files>['list']>> = await files('bare').list({ limit, ...(after === undefined ? {} : { after }) });
        found.push(...page.entries.map(({ path }) => path));
        if (page.next === undefined) break;
        after = page.next;
      }
      assert.deepEqual(found, expected);
    }
  });

  it('arrives from files to files, twice too, and is missing where it is gone', async () => {
    for (let repeat = 0; repeat < 2; repeat += 1) {
      const { done, failed } = await move('bare', 'bare-copy');
      assert.deepEqual([done.map(({ path }) => path), failed], [expected, []]);
    }
    assert.equal(await modeOf('bare-copy/b/c'), '710');
    await rm(onDisk('bare-copy/z'), { recursive: true });
    await directory('bare-copy/more');
    await rm(onDisk('bare-copy/d/x'));
    await rm(onDisk('bare-copy/d/y'));
    const entries = await listPages(files('bare'));
    const result = await checkManifest({ entries, target: files('bare-copy'), extra: {} });
    // An empty "d/" is no more than what is missing in it.
    assert.deepEqual([result.missing.examples, result.extra.examples], [['"d/x"', '"d/y"', '"z/"'], ['"more/"']]);
  });

  it('that an earlier attempt left is made durable up to the root with the next flush', async () => {
    const deferred: string[] = [];
    const done = () => Promise.resolve();
    await files('bare').keep?.('b/c/', { defer: (path) => void deferred.push(path), flush: done, close: done });
    assert.deepEqual(deferred, ['', 'bare', 'bare/b', 'bare/b/c']);
  });

  it('goes through objects and back with its mode, locked too', async () => {
    const retention = { mode: 'COMPLIANCE', retainUntil: new Date(Date.now() + 3_600_000).toISOString() } as const;
    const [source, middle, target] = [files('bare'), createObjectEndpoint(gateway.store, 'archive', 'bare'), files('bare-back')];
    const options = { attempt: '1', concurrency: 4, attributes: true };
    const out = await copyEntries({ ...options, source, target: middle, entries: await listPages(source), retention });
    assert.deepEqual([out.done.map(({ path }) => path), out.failed], [expected, []]);
    assert.equal((await gateway.store.retention('archive', 'bare/b/c/'))?.mode, 'COMPLIANCE');
    const back = await copyEntries({ ...options, source: middle, target, entries: await listPages(middle) });
    assert.deepEqual(back.failed, []);
    assert.deepEqual(
      (await listPages(target)).map(({ path }) => path),
      expected,
    );
    assert.equal(await modeOf('bare-back/b/c'), '710');
  });
});

it('what is neither file, directory nor link is named, and not opened', async () => {
  await directory('odd');
  await writeFile(onDisk('odd/file'), 'content');
  execFileSync('mkfifo', [onDisk('odd/pipe')]);
  execFileSync('python3', ['-c', 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])', onDisk('odd/socket')]);
  const { done, failed } = await move('odd', 'odd-copy');
  assert.deepEqual(
    done.map(({ path }) => path),
    ['file'],
  );
  const left = createFileEndpoint(createPosixFileStore({ name: 'hot', root }), 'odd', { specials: 'skip' });
  assert.deepEqual(
    (await listPages(left)).map(({ path }) => path),
    ['file'],
  );
  assert.deepEqual(
    failed.map(({ type, message }) => [type, /hot: (.*?)\. /.exec(message)?.[1]]),
    [
      ['Denied', '"pipe" is a FIFO: only files, directories and links are moved'],
      ['Denied', '"socket" is a socket: only files, directories and links are moved'],
    ],
  );
});

it('what cannot be moved says what to do', async () => {
  await directory('named');
  execFileSync('python3', ['-c', 'import os, sys; open(os.fsencode(sys.argv[1]) + b"/caf\\xe9", "w").close()', onDisk('named')]);
  const { failed } = await move('named', 'named-copy');
  assert.deepEqual(failed, [
    {
      path: 'caf\uFFFD',
      type: 'InvalidInput',
      message: 'hot: "caf\uFFFD" is not moved: its name is not valid UTF-8; what is not is shown as \uFFFD. Rename it at the source, as with convmv.',
    },
  ]);
  const errno = (code: string) => Object.assign(new Error(code), { code });
  assert.match(posixError(errno('EPERM'), 'hot', 'x').message, /^hot: "x": the file system answered EPERM\. .*lsattr/);
  assert.match(posixError(errno('EACCES'), 'hot', 'x').message, /Give the user that the mover runs as the permission/);
});

describe('a link that is not moved', () => {
  before(async () => {
    await directory('lab/set');
    await writeFile(onDisk('lab/set/plain'), 'content');
    await symlink('../../lab/set/plain', onDisk('lab/set/roundabout'));
    await symlink('/etc/passwd', onDisk('lab/set/absolute'));
    await symlink('.', onDisk('lab/set/loop'));
  });

  it('is refused for what is true of it', async () => {
    const reasons = async (symlinks: 'keep' | 'follow') => {
      const source = files('lab/set', symlinks);
      const { failed } = await copyEntries({ source, target: files(`lab/${symlinks}`), entries: await listPages(source), attempt: '1', concurrency: 1 });
      return failed.map(({ path, message }) => [path, /not moved: (.*?)[,.]/.exec(message)?.[1]]);
    };
    assert.deepEqual(await reasons('keep'), [
      ['absolute', 'it is absolute'],
      ['roundabout', 'it goes above the directory that is moved'],
    ]);
    assert.deepEqual(await reasons('follow'), [
      ['absolute', 'it leads outside'],
      ['loop', 'it leads in a circle'],
    ]);
  });
});

it('a time is kept to the nanosecond from file to file, and one of milliseconds is not made more of', async () => {
  await directory('times');
  for (const name of ['exact', 'coarse']) await writeFile(onDisk(`times/${name}`), name);
  execFileSync('touch', ['-d', '2021-03-04T05:06:07.123456789Z', onDisk('times/exact')]);
  await utimes(onDisk('times/coarse'), 1_600_000_000, 1_600_000_000);
  await symlink('exact', onDisk('times/link'));
  execFileSync('touch', ['-h', '-d', '1969-12-31T23:59:58.000000001Z', onDisk('times/link')]);
  assert.deepEqual((await move('times', 'times-copy')).failed, []);
  const timeOf = (name: string): string =>
    execFileSync('stat', ['-c', '%.9Y', onDisk(`times-copy/${name}`)])
      .toString()
      .trim();
  assert.deepEqual(['exact', 'coarse', 'link'].map(timeOf), ['1614834367.123456789', '1600000000.000000000', '-1.999999999']);
  const [, exact] = await listPages(files('times-copy'));
  assert.equal(exact?.modifiedAt, '2021-03-04T05:06:07.123456789Z');
});
