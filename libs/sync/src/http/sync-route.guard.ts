import { Injectable, type ExecutionContext } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Fingerprints } from '../identity/fingerprints';
import { IdentityService } from '../identity/identity.service';
import { identityOf, SyncGuard } from '../identity/sync.guard';

/**
 * The guard of the sync routes: from the moment that the identity is known, every answer says by `X-Sync-Identity` whose it
 * is, errors too.
 */
@Injectable()
export class SyncRouteGuard extends SyncGuard {
  constructor(
    identities: IdentityService,
    private readonly fingerprints: Fingerprints,
    private readonly host: HttpAdapterHost,
  ) {
    super(identities);
  }

  /** @throws as IdentityService.authenticate */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const may = await super.canActivate(context);
    const http = context.switchToHttp();
    const fingerprint = this.fingerprints.of(identityOf(http.getRequest<object>()));
    if (fingerprint !== undefined)
      this.host.httpAdapter.setHeader(http.getResponse(), 'X-Sync-Identity', fingerprint);
    return may;
  }
}
