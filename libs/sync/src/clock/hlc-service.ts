import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import {
  compareHlc,
  formatHlc,
  isTooFarAhead,
  parseHlc,
  receiveHlc,
  sendHlc,
  SyncError,
  ZERO_HLC,
  type Hlc,
} from 'nest-offline-sync-protocol';
import type { SyncOptions } from '../options/sync.options';
import type { SyncSettings } from '../options/settings';
import { SYNC_OPTIONS, SYNC_SETTINGS } from '../options/tokens';
import { chooseNodeId } from './node-id';
import { WallClock } from './wall-clock';

/**
 * This process's hybrid logical clock, for the app's own stamps (edit stamps, ordering of its events).
 *
 * Document versions do not come from it: they come from the bounded wall clock and the head of their own scope, and
 * heads are never fed into this clock, so that the stamps of one tenant say nothing about another's activity.
 */
@Injectable()
export class HlcService {
  /** The node part of every stamp and version that this process draws. */
  readonly nodeId: string;
  private last: Hlc = ZERO_HLC;

  constructor(
    @Inject(SYNC_OPTIONS) options: SyncOptions,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    private readonly wall: WallClock,
  ) {
    // The one place where the library looks at the environment.
    this.nodeId = chooseNodeId({
      option: options.hlcNodeId,
      variable: process.env['HLC_NODE_ID'],
      hostname: process.env['HOSTNAME'],
      random: randomBytes(6).toString('hex'),
    });
  }

  /** A stamp strictly above every one that this clock has drawn or received, as text. */
  now(): string {
    this.last = sendHlc(this.last, this.wall.now(), this.nodeId);
    return formatHlc(this.last);
  }

  /**
   * Takes note of a stamp from elsewhere and draws one strictly above it.
   *
   * @throws SyncError `invalid_version` when `stamp` is none; `clock_drift` when it is further ahead than
   *   `maxDriftMs`: the clock then stays as it was
   */
  receive(stamp: string): string {
    const remote = this.parse(stamp);
    const wallMs = this.wall.now();
    if (isTooFarAhead(remote, wallMs, 0, this.settings.maxDriftMs))
      throw new SyncError(
        'clock_drift',
        `The stamp is ${remote.ms - wallMs} ms ahead of this server's clock; ${this.settings.maxDriftMs} ms are allowed. Set the sender's clock.`,
      );
    this.last = receiveHlc(this.last, remote, wallMs, this.nodeId);
    return formatHlc(this.last);
  }

  /** @throws SyncError `invalid_version` when `stamp` is none */
  parse(stamp: string): Hlc {
    const hlc = parseHlc(stamp);
    if (hlc) return hlc;
    throw new SyncError(
      'invalid_version',
      'The stamp is not a version: it must look like 20260502T120000.000Z-0001-node.',
    );
  }

  format(hlc: Hlc): string {
    return formatHlc(hlc);
  }

  /**
   * Negative, zero or positive, as stamp `a` is before, equal to or after `b`.
   *
   * @throws SyncError `invalid_version` when one of them is no stamp
   */
  compare(a: string, b: string): number {
    return compareHlc(this.parse(a), this.parse(b));
  }
}
