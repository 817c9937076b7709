import { Logger } from '@nestjs/common';
import { SyncError } from 'nest-offline-sync-protocol';
import type { DriverCall } from '../database/driver-calls';
import type { Bypass } from '../options/sync.options';
import { callSite, traceBelow } from './call-site';
import { entered } from './mongoose-entries';

/** A write that goes past the log. */
export interface PassingWrite {
  readonly collection: string;
  readonly method: string;
  /** Stands for the place in the app's code. */
  readonly key: string;
  /** That place, for people. Undefined: not known. */
  readonly site: string | undefined;
  /** It was made in the body of a sync.transaction, without its session. */
  readonly lacksSession?: boolean;
}

/** More places than an app has: one that makes its code while it runs must not fill the memory. */
const MOST_PLACES = 10_000;

/** Tells of writes that go past the log: of each place in the app's code once, and never what is written. */
export class Notices {
  private readonly logger = new Logger('SyncModule');
  private readonly told = new Set<string>();

  /**
   * Reads the stack, so it is called while the app's call is on it.
   *
   * @returns undefined for a place that was told of already, and nobody has to be told again
   */
  meet({ collection, method, entry }: DriverCall, how: Bypass): PassingWrite | undefined {
    const site = callSite(entered() ?? traceBelow(entry));
    const key = `${collection} ${method} ${site?.key ?? ''}`;
    if (how === 'warn' && (this.told.has(key) || this.told.size === MOST_PLACES)) return undefined;
    return { collection, method, key, site: site?.describe() };
  }

  warn(write: PassingWrite): void {
    if (this.told.has(write.key)) return;
    this.told.add(write.key);
    this.logger.warn(sentence(write));
  }
}

/** What `bypass: 'error'` throws. */
export function refusal(write: PassingWrite): SyncError {
  return new SyncError('unrecorded_write', sentence(write), { path: `collections.${write.collection}` });
}

function sentence({ collection, method, site, lacksSession }: PassingWrite): string {
  const where = site === undefined ? '' : ` (${site})`;
  const remedy = lacksSession
    ? 'Give the call the session of the sync.transaction that it is made in.'
    : "Make it in sync.transaction with its session, or set capture: true for the collection. (bypass: 'off' silences this.)";
  return `Collection ${collection}: ${method}${where} writes past the sync log: no device hears of it, and the next push may overwrite it. ${remedy}`;
}
