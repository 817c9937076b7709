import type { IncomingMessage } from 'node:http';
import { SyncError } from 'nest-offline-sync-protocol';
import { within } from '../database/waiting';
import type { IdentityService } from '../identity/identity.service';
import type { SyncIdentity } from '../identity/identity';

/** Who is behind one socket: verified when asked for, the same scope and actor for the socket's whole life. */
export class SocketCredentials {
  private identity: SyncIdentity | undefined;
  /** When they end, in milliseconds since 1970. */
  endsAt = Infinity;

  /** @param limitMs how long a check may take */
  constructor(
    private readonly upgrade: IncomingMessage,
    private readonly identities: IdentityService,
    private readonly limitMs: number,
  ) {}

  /** The identity, once it is known. */
  get known(): SyncIdentity | undefined {
    return this.identity;
  }

  /** The scope of the identity, once that is known. */
  get scopeId(): string | undefined {
    return this.identity?.scopeId;
  }

  /**
   * Checks a token, or gives the identity known so far. Without either, the token of the socket's URL (`?token=`) or
   * the headers that it was opened with count.
   *
   * @throws SyncError `unauthenticated`; `forbidden` for another scope or actor; `unavailable` when it takes too long
   */
  async identify(token: string | undefined): Promise<SyncIdentity> {
    if (token === undefined && this.identity) return this.identity;
    const identity = await within(
      this.limitMs,
      () => this.identities.fromToken(this.upgrade, token ?? tokenOfUrl(this.upgrade.url)),
      notInTime,
    );
    const known = this.identity;
    if (known && (known.scopeId !== identity.scopeId || known.actorId !== identity.actorId))
      throw new SyncError(
        'forbidden',
        'The fresh token is of another scope or user. Open another socket for it.',
        { path: 'token' },
      );
    this.identity = identity;
    this.review();
    return identity;
  }

  /**
   * Looks whether the credentials still hold.
   *
   * @throws SyncError `unauthenticated` when they have run out
   */
  review(): void {
    this.endsAt = this.identity?.expiresAt?.getTime() ?? Infinity;
    if (this.endsAt <= Date.now())
      throw new SyncError(
        'unauthenticated',
        'The token has expired. Connect again with a fresh one, or send it before the old one ends: {"type":"token","token":"…"}.',
      );
  }
}

/** @throws SyncError `unavailable`, for a check that takes too long */
export function notInTime(): never {
  throw new SyncError('unavailable', 'The credentials could not be checked in time. Try again later.');
}

function tokenOfUrl(url = ''): string | undefined {
  return new URLSearchParams(url.split('?', 2)[1] ?? '').get('token') ?? undefined;
}
