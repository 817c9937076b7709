import type { Row } from './bench';
import { ADOPT_ROWS } from './adopt';
import { BURST_ROW } from './burst';
import { CAPTURE_ROWS } from './capture';
import { FLOW_ROW } from './flow';
import { FULL_ROWS } from './full';
import { FULL_MILLION_ROW } from './full-million';
import { GROWTH_ROW } from './growth';
import { INC_ONE_DOCUMENT_ROW, ONE_DOCUMENT_ROW } from './one-document';
import { PULL_ROWS } from './pull';
import { PULL_NOTHING_ROW } from './pull-nothing';
import { PUSH_CAPTURED_ROW } from './push-captured';
import { PUSH_ROWS } from './push';
import { SCOPES_ROW } from './scopes';
import { SOCKETS_ROW } from './sockets';
import { START_UP_ROW } from './start-up';
import { STREAM_ROWS } from './stream';

/** In the order of the table. */
export const ROWS: readonly Row[] = [
  ...PUSH_ROWS,
  ONE_DOCUMENT_ROW,
  INC_ONE_DOCUMENT_ROW,
  ...PULL_ROWS,
  PULL_NOTHING_ROW,
  ...FULL_ROWS,
  FULL_MILLION_ROW,
  FLOW_ROW,
  ...STREAM_ROWS,
  SCOPES_ROW,
  BURST_ROW,
  SOCKETS_ROW,
  GROWTH_ROW,
  START_UP_ROW,
  PUSH_CAPTURED_ROW,
  ...CAPTURE_ROWS,
  ...ADOPT_ROWS,
];
