import type { Row } from './bench';
import { PUSH_ROWS } from './push';

/** In the order of the table. */
export const ROWS: readonly Row[] = [...PUSH_ROWS];
