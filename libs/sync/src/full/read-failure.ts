import { isSocketError } from '../oplog/socket-error';
import { isObject } from '../protocol/json';

/** SnapshotTooOld and SnapshotUnavailable: they carry no label, and come in mid-stream too. */
const SNAPSHOT_LOSS = new Set([239, 246]);
/** A cursor that is gone (its reader stalled for ten minutes, or the primary changed), and a primary that steps down. */
const INTERRUPTION = new Set([43, 237, 91, 189, 10107, 11600, 11601, 11602, 13435, 13436]);

/** Whether MongoDB no longer has the snapshot that a read wants. */
export function isSnapshotLoss(error: unknown): boolean {
  return SNAPSHOT_LOSS.has(codeOf(error));
}

/** Whether reading on from the last id with a new cursor makes sense. */
export function isInterruption(error: unknown): boolean {
  const name = error instanceof Error ? error.name : '';
  return (
    INTERRUPTION.has(codeOf(error)) ||
    isSocketError(error) ||
    name.startsWith('MongoNetwork') ||
    name.includes('PoolCleared')
  );
}

function codeOf(error: unknown): number {
  const code = error instanceof Error && isObject(error) ? error['code'] : undefined;
  return typeof code === 'number' ? code : 0;
}
