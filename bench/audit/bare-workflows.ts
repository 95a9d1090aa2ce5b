/** Activities that do nothing, one after the other: what is left is what it costs to have them done, and on record. */
import { proxyActivities } from '@temporalio/workflow';

const { survey } = proxyActivities<{ survey(): Promise<void> }>({ startToCloseTimeout: '1 minute' });

export async function surveys(count: number): Promise<void> {
  for (let done = 0; done < count; done += 1) await survey();
}
