import type { Command } from 'commander';
import { addCommand, type Run } from '../command.ts';
import { doctorText, isShortfall } from '../views/doctor.ts';

export function addDoctorCommand(program: Command, run: Run): void {
  addCommand(program, 'doctor', {
    summary: 'Try what each store of the site can really do, by its effect, and whether the policies have what they need',
    details:
      'Takes about ten seconds, for it waits until a short retention has ended. Writes to a bucket penstock-doctor of each store and cleans up. Exit code 1 where something needed is missing',
    examples: ['penstock doctor', 'penstock doctor -o json'],
  }).action((_options: unknown, command: Command) =>
    run(command, async (session) => {
      const [{ probeStores }, { probeTemporal }, { probeTools }, { probeErasureKernel }, { probeAudit }] = await Promise.all([
        import('../../drivers/probes/probe-site.ts'),
        import('../doctor/probe-temporal.ts'),
        import('../doctor/probe-tools.ts'),
        import('../doctor/probe-erasure-kernel.ts'),
        import('../doctor/probe-audit.ts'),
      ]);
      const stores = await session.stores();
      session.note('trying every store; about ten seconds ...');
      const results = (await Promise.all([probeTemporal(stores.site), probeStores(stores), probeErasureKernel(), probeAudit(stores), probeTools()])).flat();
      return {
        data: results,
        text: doctorText(results, (color, text) => session.paint(color, text)),
        exit: results.some(isShortfall) ? 'refused' : 'ok',
      };
    }),
  );
}
