/** Off: nobody has subscribed in this process for a while, or the module has no stream. */
export type ChangeStreamState = 'open' | 'lost' | 'off';

/** What a look at the database and this process found. */
export type HealthFindings =
  | { readonly primary: false; readonly error: string }
  | {
      readonly primary: true;
      readonly changeStream: ChangeStreamState;
      /** This machine's clock minus the database's, milliseconds. */
      readonly clockOffsetMs: number | undefined;
      /** How far the most advanced scope's head is ahead of the clock; 0 when none is by much. Undefined: not known. */
      readonly headAheadMs: number | undefined;
      /** For how long writes past the engine may be waiting to be recorded. Undefined: nothing is captured. */
      readonly captureBehindMs?: number | undefined;
    };

export interface SyncHealth {
  readonly status: 'up' | 'down';
  /** Plain data without host names or scopes: health answers are often public. */
  readonly details: {
    readonly primary: boolean;
    readonly changeStream?: ChangeStreamState;
    readonly clockOffsetMs?: number;
    readonly headAheadMs?: number;
    readonly captureBehindMs?: number;
    /** What still works, but wants a look. */
    readonly warnings?: readonly string[];
    readonly error?: string;
  };
}

/** A clock further off than this is held back by the engine, and worth a look. Milliseconds. */
export const CLOCK_WARNING_MS = 5_000;

/** A quiet position is kept every five seconds, and a process that was killed is replaced in as many. Milliseconds. */
const CAPTURE_WARNING_MS = 30_000;

/** Down without a primary or with a lost change stream; a clock that is off, or capture that is behind, is a warning. */
export function judgeHealth(findings: HealthFindings): SyncHealth {
  if (!findings.primary) return { status: 'down', details: { primary: false, error: findings.error } };
  const { changeStream, clockOffsetMs, headAheadMs, captureBehindMs } = findings;
  const warnings: string[] = [];
  if (clockOffsetMs !== undefined && Math.abs(clockOffsetMs) > CLOCK_WARNING_MS)
    warnings.push(
      `This process's clock is ${seconds(clockOffsetMs)} off the database's. Set it right, with NTP for example.`,
    );
  if (headAheadMs !== undefined && headAheadMs > CLOCK_WARNING_MS)
    warnings.push(
      `A scope's newest version is ${seconds(headAheadMs)} ahead of the clock: a clock was wrong when it was written. ` +
        'Its order holds, and the clock catches up by itself.',
    );
  if (captureBehindMs !== undefined && captureBehindMs > CAPTURE_WARNING_MS)
    warnings.push(
      `Capture is ${seconds(captureBehindMs)} behind: what was written past the engine since is not in the log yet.`,
    );
  return {
    status: changeStream === 'lost' ? 'down' : 'up',
    details: {
      primary: true,
      changeStream,
      ...(clockOffsetMs === undefined ? {} : { clockOffsetMs }),
      ...(headAheadMs === undefined ? {} : { headAheadMs }),
      ...(captureBehindMs === undefined ? {} : { captureBehindMs }),
      ...(warnings.length === 0 ? {} : { warnings }),
      ...(changeStream === 'lost'
        ? { error: 'The change stream is lost: subscribers wait until it is open again.' }
        : {}),
    },
  };
}

function seconds(ms: number): string {
  return `${(Math.abs(ms) / 1000).toFixed(1)} s`;
}
