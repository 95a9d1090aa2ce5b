/** Any error as what a person and a script need: one message, its type, an exit code. */
import { isGrpcServiceError, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { Refusal } from '../client/refusal.ts';
import { messageOf, PenstockError } from '../model/errors.ts';
import { CliError } from './cli-error.ts';
import type { Exit } from './exit-codes.ts';

export interface Failure {
  readonly exit: Exit;
  readonly type: string;
  readonly message: string;
}

export function toFailure(error: unknown): Failure {
  if (error instanceof CliError) return { exit: error.exit, type: error.type, message: error.message };
  if (error instanceof Refusal) return { exit: exitOfRefusal(error), type: error.type, message: error.message };
  if (error instanceof PenstockError) return { exit: exitOfType(error.type), type: error.type, message: error.message };
  if (error instanceof WorkflowNotFoundError) return { exit: 'notFound', type: 'NotFound', message: error.message };
  const grpc = grpcCause(error);
  if (grpc) return { exit: 'unreachable', type: 'Unreachable', message: grpc };
  return { exit: 'refused', type: 'Failed', message: messageOf(error) };
}

/** An allocation that ended badly may itself report `NotFound` (its data); that is not "there is no such allocation". */
function exitOfRefusal(refusal: Refusal): Exit {
  return refusal.cause instanceof WorkflowFailedError ? 'allocationEnded' : exitOfType(refusal.type);
}

function exitOfType(type: string): Exit {
  switch (type) {
    case 'NotFound':
      return 'notFound';
    case 'AlreadyOver':
      return 'alreadyOver';
    case 'StoreUnavailable':
    case 'StoreThrottled':
      return 'unreachable';
    default:
      return 'refused';
  }
}

/** gRPC's numbers, as its specification has them. */
const DEADLINE_EXCEEDED = 4;
const FAILED_PRECONDITION = 9;

/** The SDK wraps gRPC errors once or twice, and a connection that never came about has a class of its own. */
function grpcCause(error: unknown): string | undefined {
  for (let current = error, depth = 0; current instanceof Error && depth < 4; current = current.cause, depth++) {
    if (isGrpcServiceError(current)) return grpcMessage(current.code, current.details);
    if (/failed to connect before the deadline|no connection established/i.test(current.message))
      return 'Temporal does not answer. Is the site up? `penstock site status` tells.';
  }
  return undefined;
}

function grpcMessage(code: number, details: string): string {
  switch (code) {
    case DEADLINE_EXCEEDED:
    case FAILED_PRECONDITION: // a query with nobody polling the queue
      return `no worker answered in time (${details}). Are the workers up? \`penstock site status\` tells.`;
    default:
      return `Temporal: ${details}. Is the site up? \`penstock site status\` tells.`;
  }
}
