import { parseHlc, ZERO_VERSION } from 'nest-offline-sync-protocol';
import type { HeadRecord } from '../log/records';
import type { DeviceRecord, DeviceScope } from '../register/records';
import type { AdminDevice, AdminDeviceScope } from './answers';

const DAY_MS = 86_400_000;
/** Scopes that are shown of one device: those that it was last seen in. */
const SHOWN_SCOPES = 50;

/** What a judgement of devices goes by. */
export interface Measures {
  /** By scope; missing: nothing was ever written in it. */
  readonly heads: ReadonlyMap<string, Pick<HeadRecord, 'version' | 'seq' | 'floor' | 'floorSeq'>>;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Days that log entries are kept; 0: for ever. */
  readonly logDays: number;
}

/** A device with how far it is behind in each of its scopes. */
export function deviceRow(record: DeviceRecord, measures: Measures): AdminDevice {
  const { _id, at, firstAt, pushAt, pullAt, socketAt, clientSchema } = record;
  const scopes = scopesOf(record).map((scope) => scopeRow(scope, measures));
  return {
    ..._id,
    client_schema: clientSchema ?? null,
    first_seen_at: firstAt.toISOString(),
    seen_at: at.toISOString(),
    push_at: pushAt?.toISOString() ?? null,
    pull_at: pullAt?.toISOString() ?? null,
    socket_at: socketAt?.toISOString() ?? null,
    will_reload: scopes.some(({ will_reload }) => will_reload === true),
    scopes,
  };
}

/** The newest first, as many as are shown. */
export function scopesOf({ scopes }: Pick<DeviceRecord, 'scopes'>): DeviceScope[] {
  return Object.values(scopes)
    .sort((one, other) => other.at.getTime() - one.at.getTime())
    .slice(0, SHOWN_SCOPES);
}

/**
 * How far a device is behind in one scope. It has to load the scope again when it stands below the floor; and when it has been
 * silent for longer than the log is kept, unless it has all there is.
 */
function scopeRow({ scope, at, version, seq }: DeviceScope, measures: Measures): AdminDeviceScope {
  const { heads, now, logDays } = measures;
  const head = heads.get(scope);
  const isKnown = version !== undefined || seq !== undefined;
  const silent = logDays > 0 && now - at.getTime() > logDays * DAY_MS;
  const row = { scope, seen_at: at.toISOString(), version: version ?? null, seq: seq ?? null };
  if (!head) return { ...row, behind: isKnown ? 0 : null, behind_ms: isKnown ? 0 : null, will_reload: false };
  if (!isKnown) return { ...row, behind: null, behind_ms: null, will_reload: silent ? true : null };
  const isAtHead = seq === undefined ? (version ?? '') >= head.version : seq >= head.seq;
  const isBelow = seq === undefined ? (version ?? ZERO_VERSION) < head.floor : seq < head.floorSeq;
  return {
    ...row,
    behind: isAtHead ? 0 : seq === undefined ? null : head.seq - seq,
    behind_ms: isAtHead ? 0 : lag(version, head.version),
    will_reload: isBelow || (silent && !isAtHead),
  };
}

/** From what the device was given last to the newest version; null where that is not known. */
function lag(version: string | undefined, newest: string): number | null {
  const from = version === undefined ? undefined : parseHlc(version)?.ms;
  const to = parseHlc(newest)?.ms;
  return from === undefined || from === 0 || to === undefined ? null : Math.max(0, to - from);
}
