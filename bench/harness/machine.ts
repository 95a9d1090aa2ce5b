/** The machine that figures were taken on; without it they mean little. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { resolveTool } from '../../dev/toolchain/resolve-tool.ts';
import type { ToolName } from '../../dev/toolchain/tools.ts';
import type { Fact } from './bench.ts';

export async function machineFacts(tools: readonly ToolName[]): Promise<Fact[]> {
  const versions = await Promise.all(tools.map(async (name) => `${name} ${(await resolveTool(name)).version}`));
  return [
    ['processor', `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores`],
    ['memory', `${(totalmem() / 1e9).toFixed(0)} GB`],
    ['kernel', release()],
    ['load at the start', loadavg()[0]?.toFixed(2) ?? 'unknown'],
    ['versions', [`node ${process.versions.node}`, ...versions].join(', ')],
  ];
}

/** What programs could still take without paging out, the memory file systems' content not counted. */
export function availableMemoryBytes(): number {
  return Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024;
}

const TICKS_PER_SECOND = 100;

/** What all processes and the hypervisor's other guests have taken of this machine's processors so far. */
export function machineCpuSeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (/^cpu +(.+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '')
    .split(' ')
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** User and system time of a process so far, to the kernel's tick of 10 ms; its children's are not counted. */
export function processCpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Behind the command's name, which may hold spaces and parentheses, user time is the 12th field and system time the 13th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
