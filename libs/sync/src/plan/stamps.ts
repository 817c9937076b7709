import { isTooFarAhead, parseHlc, type Rejection } from 'nest-offline-sync-protocol';
import { isNewer } from './judge';
import type { HeadState } from './ledger';
import type { PlanClock, ReadyChange, DocumentState } from './plan';

/** Refuses stamps from the future (invariant 8) and parents that this database has never given out. */
export function refuseStamps(
  change: ReadyChange,
  found: DocumentState | undefined,
  head: HeadState,
  clock: PlanClock,
): Rejection | undefined {
  const { byServer, parent, hlc } = change;
  const ahead = byServer
    ? isAhead(byServer.reserved, head, clock) && 'version'
    : (isAhead(parent, head, clock) && 'parent_version') || (isAhead(hlc, head, clock) && 'hlc');
  if (ahead)
    return {
      code: 'clock_drift',
      message: `${ahead} is further in the future than ${clock.maxDriftMs} ms; set the clock it comes from and send the change again.`,
    };
  // Against the head that others can have seen: a version of this very plan is nobody's parent yet.
  if (!byServer && found && parent !== null && parent > head.committed)
    return {
      code: 'parent_unknown',
      message:
        'parent_version is newer than anything in this scope: it comes from another database. Do a full resync, then send the change again.',
    };
  return undefined;
}

function isAhead(stamp: string | null | undefined, { hlc: head }: HeadState, clock: PlanClock): boolean {
  const hlc = stamp ? parseHlc(stamp) : undefined;
  return hlc !== undefined && isTooFarAhead(hlc, clock.wallMs, head.ms, clock.maxDriftMs);
}

/**
 * The edit stamp of a document that was just written: its editor's own stamp, else the version. A child is never
 * older than its parent, whatever the devices' clocks say, so stamps of a document only rise.
 */
export function editStamp(hlc: string | null, version: string, current: string | null): string {
  const own = hlc ?? version;
  return current === null || isNewer(own, current) ? own : current;
}
