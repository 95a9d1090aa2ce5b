/** An activity as a worker runs its first attempt. */
import { MockActivityEnvironment } from '@temporalio/testing';

export const runActivity = <Request, Answer>(activity: (request: Request) => Promise<Answer>, request: Request): Promise<Answer> =>
  new MockActivityEnvironment({ attempt: 1 }).run(activity, request);
