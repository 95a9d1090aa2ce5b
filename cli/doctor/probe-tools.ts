/** The programs that an embedded site is made of. A site that runs has what it needs, so none is needed here. */
import { findTool } from '../../dev/toolchain/find-tool.ts';
import { tools } from '../../dev/toolchain/tools.ts';
import { createProber, expect, type ProbeResult } from '../../drivers/probes/probe.ts';

export async function probeTools(): Promise<readonly ProbeResult[]> {
  const prober = createProber('tools', 'tools');
  for (const tool of Object.values(tools)) {
    await prober.optional(tool.name, async () => {
      const found = await findTool(tool.name);
      expect(found !== undefined, `not found; it is built where it can be, or install ${tool.hint}`);
      return `${found.version}, ${found.path}`;
    });
  }
  return prober.results;
}
