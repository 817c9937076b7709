import { createHmac, randomBytes } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { isDuplicateKey } from '../database/errors';
import { OplogSetupService } from '../database/setup';
import { within } from '../database/waiting';
import { OplogRepository } from '../log/oplog';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import type { SyncIdentity } from './identity';

/** Kept with the leases: every process of a database has the same. */
export interface KeyRecord {
  readonly _id: string;
  /** Base64url. */
  readonly key: string;
}
export const KEY_ID = 'identity-key';
const KEY_BYTES = 32;
/** 132 bits: no two identities ever have the same. */
const LETTERS = 22;

/**
 * Tells a client by an opaque text as whom it is answered, so that it never sends what one identity has written with the
 * credentials of another (invariant 5). The text is the same in all processes and after restarts. It is made of the own
 * scope and the actor with a random key of the database: nobody can find out an actor by trying ids.
 */
@Injectable()
export class Fingerprints implements OnApplicationBootstrap {
  private key: string | undefined;
  private readonly keys: mongo.Collection<KeyRecord>;

  constructor(
    private readonly setup: OplogSetupService,
    oplog: OplogRepository,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {
    this.keys = oplog.db.collection<KeyRecord>(settings.leasesCollection, {
      readConcern: { level: 'majority' },
      writeConcern: { w: 'majority' },
      readPreference: 'primary',
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.setup.whenReady();
    this.key = await within(this.settings.retryDeadlineMs, () => this.keyOfDatabase());
  }

  /** The same for an identity in any of its scopes. Undefined before the app has started. */
  of(identity: SyncIdentity): string | undefined {
    return this.key && fingerprint(this.key, identity);
  }

  /**
   * Makes sure that the client is answered as whom it expects to be.
   *
   * @param expected what an earlier answer said; undefined: anybody
   * @throws SyncError `identity_changed`; `unavailable` before the app has started
   */
  expect(identity: SyncIdentity, expected: string | undefined): void {
    if (expected === undefined) return;
    const actual = this.of(identity);
    if (actual === undefined)
      throw new SyncError('unavailable', 'The server is still starting. Try again shortly.');
    if (actual !== expected)
      throw new SyncError(
        'identity_changed',
        'These credentials are of another user or scope than the data. Keep the data, and use the credentials that it was written with.',
        { path: 'expected_identity' },
      );
  }

  private async keyOfDatabase(): Promise<string> {
    const known = await this.keys.findOne({ _id: KEY_ID });
    if (known) return known.key;
    const key = randomBytes(KEY_BYTES).toString('base64url');
    await this.keys.insertOne({ _id: KEY_ID, key }).catch((error: unknown) => {
      // Another process was faster: its key counts.
      if (!isDuplicateKey(error)) throw error;
    });
    return (await this.keys.findOne({ _id: KEY_ID }))?.key ?? key;
  }
}

function fingerprint(key: string, { scopeId, ownScopeId = scopeId, actorId }: SyncIdentity): string {
  return createHmac('sha256', key)
    .update(JSON.stringify([ownScopeId, actorId]))
    .digest('base64url')
    .slice(0, LETTERS);
}
