import type { FaultKind } from '../schedule';
import { answersCut, requestsCut, socketsCut } from './clients-cut';
import { clockAhead, clockBehind } from './clock-shifted';
import { cursorsKilled } from './cursors-killed';
import { commitReplyLost, connectionsCut, connectionsSlow } from './database-network';
import {
  changeStreamBroken,
  changeStreamHistoryLost,
  commitNeverHeard,
  commitsSlow,
  commitUnknown,
  transientErrors,
} from './failing-commands';
import type { Injector } from './injector';
import {
  diskFull,
  primaryFrozen,
  primaryKilled,
  secondaryFrozen,
  secondaryKilled,
  setKilled,
} from './members-down';
import { primarySteppedDown, primaryUnreachable } from './primary-lost';
import { serverFrozen, serverKilled, serversRolled } from './servers-down';

export const INJECTORS: Record<FaultKind, Injector> = {
  'primary-killed': primaryKilled,
  'primary-stepped-down': primarySteppedDown,
  'primary-frozen': primaryFrozen,
  'primary-unreachable': primaryUnreachable,
  'secondary-killed': secondaryKilled,
  'secondary-frozen': secondaryFrozen,
  'set-killed': setKilled,
  'disk-full': diskFull,
  'commit-never-heard': commitNeverHeard,
  'commit-unknown': commitUnknown,
  'transient-errors': transientErrors,
  'commits-slow': commitsSlow,
  'change-stream-broken': changeStreamBroken,
  'cursors-killed': cursorsKilled,
  'change-stream-history-lost': changeStreamHistoryLost,
  'commit-reply-lost': commitReplyLost,
  'connections-cut': connectionsCut,
  'connections-slow': connectionsSlow,
  'server-killed': serverKilled,
  'server-frozen': serverFrozen,
  'servers-rolled': serversRolled,
  'requests-cut': requestsCut,
  'answers-cut': answersCut,
  'sockets-cut': socketsCut,
  'clock-ahead': clockAhead,
  'clock-behind': clockBehind,
};
