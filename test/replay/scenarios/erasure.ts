/** Scrub and repair of the erasure set: a rack that is lost, a scrub that is stopped and goes on, repairs that have to wait. */
import { Readable } from 'node:stream';
import { newWriteId, writeErasureObject } from '../../../datapath/erasure/index.ts';
import { seededBytes } from '../../../dev/job/job.ts';
import { signalNames } from '../../../model/messages.ts';
import { eventsOf, type HistoryEvent, runsOf, scheduled } from '../../support/histories.ts';
import type { TestSite } from '../../support/site.ts';
import { eventually } from '../../support/wait.ts';
import { closed, type Scenario } from '../scenario.ts';

async function writeObjects({ stores }: TestSite, count: number): Promise<void> {
  const keys = Array.from({ length: count }, (_, index) => `recorded/object-${index}`);
  for (const key of keys) {
    const body = seededBytes(key, 200_000);
    await writeErasureObject({ racks: stores.shardRacks, key, content: Readable.from([body]), bytes: body.length, writeId: newWriteId() });
  }
}

const over = (what: string, status: () => Promise<{ readonly running: boolean }>) =>
  eventually(`the ${what} to be over`, async () => ((await status()).running ? undefined : true));

/** As a rack that is emptied: what is rebuilt finds room there again. */
async function loseShards({ stores, running }: TestSite, rackId: string): Promise<void> {
  const bucket = running.site.erasureSet.racks.find(({ id }) => id === rackId)?.bucket ?? '';
  const { entries } = await stores.shardObjects.list(bucket, 'ec/v1/shards/recorded/');
  for (const { key } of entries) await stores.shardObjects.remove(bucket, key);
}

export const scrubAndRepair: Scenario = {
  site: 'usual',
  saves: ['scrub/scheduled', 'scrub/completed', 'scrub/stopped', 'scrub/paused', 'repair/completed', 'repair/rack-listed', 'repair/slowed'],
  async run(site, save) {
    const { scrub, repair } = site.penstock.erasure;
    await writeObjects(site, 14);
    await site.temporal.workflow.execute('scrub', { workflowId: 'scrub-by-schedule', taskQueue: 'control', args: [] });
    await save('scrub/scheduled', 'scrub-by-schedule', { when: closed });
    await over('scrub', scrub.status);
    await save('scrub/completed', 'scrub', { when: closed });

    await scrub.start({ anew: true, bytesPerSecond: '100kB/s', segmentSeconds: 1 });
    await eventually('a segment to be over', async () => (((await scrub.status()).progress?.objects ?? 0) > 0 ? true : undefined));
    await scrub.stop();
    await save('scrub/stopped', 'scrub', { when: closed });

    await scrub.start({ bytesPerSecond: 0, segmentSeconds: 1 });
    await scrub.pause();
    await scrub.setRate({ bytesPerSecond: null });
    await save('scrub/paused', 'scrub', { when: (events) => scheduled(events, 'setErasureLimit').length >= 1 });
    await loseShards(site, 'r03');
    await scrub.resume();
    await over('scrub', scrub.status);
    await scrub.start({ anew: true });
    await over('scrub', scrub.status);
    await eventually(
      'the repair to have begun',
      async () => (await repair.status()).running || (await repair.status()).counts.repairedObjects > 0 || undefined,
    );
    await over('repair', repair.status);
    await save('repair/completed', 'repair', { when: closed });

    await loseShards(site, 'r04');
    await repair.start({ racks: ['r04'], lanes: 2 });
    await over('repair', repair.status);
    await save('repair/rack-listed', 'repair', { when: closed });

    await loseShards(site, 'r05');
    await repair.start({ racks: ['r05'], claim: 'recorded/' });
    await repair.setRate({ bytesPerSecond: '50MB/s' });
    await over('repair', repair.status);
    await save('repair/slowed', 'repair', { when: closed });
  },
};

/** Full histories: both go on in new runs. */
export const scrubContinued: Scenario = {
  site: 'impatient',
  saves: ['scrub/before-continue-as-new', 'scrub/continued-completed'],
  async run(site, save) {
    const { scrub } = site.penstock.erasure;
    await writeObjects(site, 30); // a segment reads two: some ninety events
    await scrub.start({ anew: true, bytesPerSecond: '250kB/s', segmentSeconds: 1 });
    const { raw } = await site.temporal.workflow.getHandle('scrub').describe();
    await over('scrub', scrub.status);
    const [first, ...later] = await runsOf(site.temporal, 'scrub', raw.workflowExecutionInfo?.firstRunId ?? '');
    if (!first || later.length === 0) throw new Error('the scrub was over in one run: the site counts too few events as a full history');
    await save('scrub/before-continue-as-new', 'scrub', { runId: first.runId, when: closed });
    await save('scrub/continued-completed', 'scrub', { when: closed });
  },
};

const UNTIL_THEY_BEGIN_MS = 5 * 60_000;
const timers = (events: readonly HistoryEvent[]): number => events.filter((event) => event.timerStartedEventAttributes).length;

/** Started outside its hours: it waits, is resumed and waits again, and reads when they begin. */
export const scrubInItsHours: Scenario = {
  site: 'byNight',
  saves: ['scrub/waits-for-its-window', 'scrub/read-in-its-window'],
  async run(site, save) {
    const { scrub } = site.penstock.erasure;
    await writeObjects(site, 2);
    await scrub.start({});
    await save('scrub/waits-for-its-window', 'scrub', { when: (events) => timers(events) === 1 });
    await scrub.resume();
    await eventually('it to wait again', async () => (timers(await eventsOf(site.temporal, 'scrub')) === 2 ? true : undefined));
    await eventually('the scrub to be over', async () => ((await scrub.status()).running ? undefined : true), UNTIL_THEY_BEGIN_MS);
    await save('scrub/read-in-its-window', 'scrub', { when: closed });
  },
};

const HALF = Array.from({ length: 10 }, (_, index) => `r${String(index + 1).padStart(2, '0')}`);

/** A repair that waits, for more is lost than can be rebuilt. */
async function startPutOff(site: TestSite, start: { readonly racks: string[]; readonly lanes?: number }, objects = 2): Promise<void> {
  const { repair } = site.penstock.erasure;
  await writeObjects(site, objects);
  for (const rack of HALF) await loseShards(site, rack);
  await repair.start(start);
  await eventually('repairs to be put off', async () => ((await repair.status()).state === 'waiting' ? true : undefined));
}

/** More is lost than can be rebuilt: tried again, paused, and given up. */
export const repairPutOff: Scenario = {
  site: 'usual',
  saves: ['repair/put-off', 'repair/paused', 'repair/cancelled'],
  async run(site, save) {
    const { repair } = site.penstock.erasure;
    await startPutOff(site, { racks: ['r01', 'r02'] });
    await repair.start({});
    await save('repair/put-off', 'repair', {
      when: (events) => scheduled(events, 'requeueRepairs').length > 0 && timers(events) > 1,
    });
    await repair.pause();
    await save('repair/paused', 'repair', { when: (events) => scheduled(events, 'setErasureLimit').length > 1 });
    await repair.stop();
    await save('repair/cancelled', 'repair', { when: closed });
  },
};

/** Stopped with a rack still to be listed, after somebody asked for more without naming lanes; the next one goes on without being told the rack. */
export const repairStopped: Scenario = {
  site: 'usual',
  saves: ['repair/stopped-listing', 'repair/went-on-listing'],
  async run(site, save) {
    const { repair } = site.penstock.erasure;
    await startPutOff(site, { racks: ['r01', 'r02'], lanes: 2 });
    await repair.pause();
    await repair.start({ racks: ['r03'] });
    await repair.stop();
    await save('repair/stopped-listing', 'repair', { when: closed });
    await repair.start({});
    await save('repair/went-on-listing', 'repair', { when: (events) => scheduled(events, 'listLostRack').length === 1 });
    await repair.stop();
  },
};

const WAKES = 40;

/** Many find damage while it is paused: it goes on in a new run, and stays paused there. */
export const repairContinued: Scenario = {
  site: 'impatient',
  saves: ['repair/before-continue-as-new', 'repair/continued-cancelled'],
  async run(site, save) {
    const { repair } = site.penstock.erasure;
    await startPutOff(site, { racks: ['r01', 'r02'] });
    await repair.pause();
    const handle = site.temporal.workflow.getHandle('repair');
    const { raw } = await handle.describe();
    const firstRunId = raw.workflowExecutionInfo?.firstRunId ?? '';
    for (let wake = 0; wake < WAKES; wake++) {
      await handle.signal(signalNames.repairsQueued);
      await repair.status();
    }
    const runs = await runsOf(site.temporal, 'repair', firstRunId);
    if (runs.length < 2 || !(await repair.status()).paused) throw new Error(`${runs.length} runs: a paused repair has to go on in a new one, paused`);
    await save('repair/before-continue-as-new', 'repair', { runId: firstRunId, when: closed });
    await repair.stop();
    await save('repair/continued-cancelled', 'repair', { when: closed });
  },
};

/** Told that more is due while it looks what is due: it looks again. */
export const repairWoken: Scenario = {
  site: 'usual',
  saves: ['repair/woken-while-planning'],
  async run(site, save) {
    const { repair } = site.penstock.erasure;
    await startPutOff(site, { racks: ['r01'] });
    const handle = site.temporal.workflow.getHandle('repair');
    await eventually('a word to come while it looks', async () => {
      for (let wake = 0; wake < WAKES; wake++) await handle.signal(signalNames.repairsQueued);
      return isPatched(await eventsOf(site.temporal, 'repair'), 'repair-keeps-wakes') || undefined;
    });
    await save('repair/woken-while-planning', 'repair', { when: (events) => isPatched(events, 'repair-keeps-wakes') });
    await repair.stop();
  },
};

const isPatched = (events: readonly HistoryEvent[], patch: string): boolean =>
  events.some(({ markerRecordedEventAttributes: marker }) =>
    Buffer.from(marker?.details?.['patch-data']?.payloads?.[0]?.data ?? [])
      .toString('utf8')
      .includes(patch),
  );

/** Drains that are not wanted: one that waits for its turn, and one that is being listed. */
export const repairCalledOff: Scenario = {
  site: 'usual',
  saves: ['repair/called-off', 'repair/listing-called-off'],
  async run(site, save) {
    const { repair } = site.penstock.erasure;
    await startPutOff(site, { racks: ['r01'] }, 60);
    await repair.pause();
    await repair.start({ racks: ['r02'] });
    await repair.callOffRack({ rack: 'r02' });
    await save('repair/called-off', 'repair', { when: (events) => scheduled(events, 'callOffRack').length === 1 });
    await repair.resume();
    for (const rack of HALF.slice(2)) {
      const listings = async () => scheduled(await eventsOf(site.temporal, 'repair'), 'listLostRack').length;
      const before = await listings();
      await repair.start({ racks: [rack] });
      await eventually('it to be listed', async () => ((await listings()) > before ? true : undefined));
      await repair.callOffRack({ rack });
      if ((await eventsOf(site.temporal, 'repair')).some((event) => event.activityTaskCancelRequestedEventAttributes)) break;
    }
    await save('repair/listing-called-off', 'repair', { when: (events) => events.some((event) => event.activityTaskCancelRequestedEventAttributes) });
    await repair.stop();
  },
};
