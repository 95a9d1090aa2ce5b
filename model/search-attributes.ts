/** Search attributes are never encoded: opaque ids only, no names of people, paths or data. */
import { defineSearchAttributeKey } from '@temporalio/common';
import type { AllocationKey } from './identifiers.ts';
import type { Phase } from './phase.ts';
import type { RetentionPhase } from './retention.ts';
import type { TransferState } from './transfer-input.ts';

const tenantKey = defineSearchAttributeKey('tenant', 'KEYWORD');
const projectKey = defineSearchAttributeKey('project', 'KEYWORD');
const allocationIdKey = defineSearchAttributeKey('allocationId', 'KEYWORD');
const phaseKey = defineSearchAttributeKey('phase', 'KEYWORD');
const sensitivityKey = defineSearchAttributeKey('sensitivity', 'KEYWORD');
const rackKey = defineSearchAttributeKey('rack', 'KEYWORD_LIST');

export const allocationAttributes = (key: AllocationKey) => [
  { key: tenantKey, value: key.tenant },
  { key: projectKey, value: key.project },
  { key: allocationIdKey, value: key.allocationId },
];
export const identityAttributes = (key: AllocationKey, sensitivity: string) => [...allocationAttributes(key), { key: sensitivityKey, value: sensitivity }];
export const tenantAttribute = (tenant: string) => ({ key: tenantKey, value: tenant });
export const phaseAttribute = (phase: Phase | TransferState | RetentionPhase) => ({ key: phaseKey, value: phase });
export const rackAttribute = (racks: string[]) => ({ key: rackKey, value: racks });
