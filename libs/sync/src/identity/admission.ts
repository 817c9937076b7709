import { Injectable } from '@nestjs/common';
import type { Envelope } from 'nest-offline-sync-protocol';
import { ClientSchemas } from './client-schemas';
import { Fingerprints } from './fingerprints';
import type { SyncIdentity } from './identity';
import { ScopeAccess } from './scope-access';

/** What every request passes before anything is read or written for it, through whichever door it came (invariant 5). */
@Injectable()
export class Admission {
  constructor(
    private readonly fingerprints: Fingerprints,
    private readonly clients: ClientSchemas,
    private readonly access: ScopeAccess,
  ) {}

  /**
   * @returns the identity in the scope that the request names: everything after this is bound to its `scopeId`
   * @throws SyncError as {@link check}; `scope_forbidden`, the same for a scope that does not exist; `unavailable`
   */
  async admit(
    identity: SyncIdentity,
    envelope: Envelope,
    needed: 'read' | 'write' = 'read',
  ): Promise<SyncIdentity> {
    await this.check(identity, envelope);
    return this.access.enter(identity, envelope.scope, needed);
  }

  /**
   * Whether the client is answered as whom it expects to be, and new enough; its scope is not looked at.
   *
   * @throws SyncError `identity_changed`, `client_outdated`, `unavailable`, `configuration`
   */
  async check(
    identity: SyncIdentity,
    { expectedIdentity, clientSchema }: Omit<Envelope, 'scope'>,
  ): Promise<void> {
    this.fingerprints.expect(identity, expectedIdentity);
    await this.clients.admit(clientSchema, identity);
  }
}
