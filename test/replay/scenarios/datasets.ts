/** What the scenarios stage: small enough for many, and large enough to be caught in the middle at the slow sites' 150 kB/s. */
import { datasetFiles } from '../../support/scenario.ts';

export const SMALL = datasetFiles(60, 2000, 'replay-small');
export const LARGE = datasetFiles(120, 3000, 'replay-large');
