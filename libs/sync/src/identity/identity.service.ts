import type { IncomingMessage } from 'node:http';
import {
  HttpException,
  Inject,
  Injectable,
  type CanActivate,
  type ExecutionContext,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { isDatabaseFailure } from '../collections/failure';
import { SyncError } from '../protocol/errors';
import type { IdValue, SyncOptions, SyncRequest } from '../sync.options';
import { SYNC_OPTIONS } from '../sync.tokens';
import { bearerToken, expiryOf, isTokenText, tokenExpiry } from './bearer-token';
import { HostGuard, outOfReach } from './host.guard';
import type { SyncIdentity } from './identity';
import { identityText, readField } from './identity-fields';
import { createJwtCheck, type JwtCheck } from './jwt.guard';
import { SocketDoor } from './socket-door.service';

/**
 * Who asks, for both transports by the same way: the guard (the app's or the shipped JWT check), then the two ids out
 * of the user that it left on the request.
 */
@Injectable()
export class IdentityService implements OnModuleInit, OnApplicationShutdown {
  private readonly jwt: JwtCheck | undefined;
  private readonly host: HostGuard | undefined;
  private readonly guard: CanActivate;

  /** @throws SyncError `configuration` without any check of credentials, or with two */
  constructor(
    @Inject(SocketDoor) private readonly door: SocketDoor,
    @Inject(SYNC_OPTIONS) private readonly options: SyncOptions,
    @Inject(ModuleRef) moduleRef: ModuleRef,
  ) {
    if (options.jwt && options.guard)
      throw new SyncError(
        'configuration',
        'SyncModule: options jwt and guard exclude each other. Keep jwt for the shipped check of bearer tokens, or guard for the guard of the app.',
      );
    if (options.guard) this.guard = this.host = new HostGuard(options.guard, moduleRef);
    else if (options.jwt) this.guard = (this.jwt = createJwtCheck(options.jwt)).guard;
    else
      throw new SyncError(
        'configuration',
        'SyncModule: nobody checks who asks. Give jwt: { secret } (or publicKey, or jwksUri) for the shipped check of bearer tokens, or guard: YourGuard for the guard of the app.',
      );
  }

  async onModuleInit(): Promise<void> {
    await this.host?.prepare();
  }

  onApplicationShutdown(): void {
    this.jwt?.dispose();
  }

  /**
   * The identity behind an HTTP request.
   *
   * @throws SyncError `unauthenticated`, `forbidden`, `scope_missing`, `unavailable`; HttpExceptions of the app's
   *   guard whose status is neither 401 nor 403
   */
  async authenticate(context: ExecutionContext): Promise<SyncIdentity> {
    const request = context.switchToHttp().getRequest<SyncRequest>();
    if (!(await this.guard.canActivate(context)))
      throw new SyncError('forbidden', 'The guard of the app does not let this request pass.');
    const { user: pick, actorIdField, scopeIdField, actorIdResolver, scopeIdResolver } = this.options;
    const user = pick ? await pick(request) : request.user;
    return {
      scopeId: await identify('scope', user, scopeIdField, scopeIdResolver),
      actorId: await identify('actor', user, actorIdField, actorIdResolver),
      user,
      expiresAt: this.expiry(request),
    };
  }

  /**
   * The identity behind a socket, by the very same checks: the global guards of the app and the guard see the request
   * that opened the socket with `token` as its bearer token.
   *
   * @param token undefined: the upgrade request's own headers have to do
   * @throws as {@link authenticate}; SyncError `origin_not_allowed` where those headers do not count
   */
  async fromToken(upgrade: IncomingMessage, token: string | undefined): Promise<SyncIdentity> {
    if (token !== undefined && !isTokenText(token))
      throw new SyncError(
        'unauthenticated',
        'The token is not a text that could stand in an Authorization header.',
      );
    return this.authenticate(await this.door.enter(upgrade, token));
  }

  private expiry(request: SyncRequest): Date | undefined {
    const told = this.options.expiresAt?.(request);
    if (told) return told;
    // The shipped check verified exactly this payload; options.user may have made another object of it.
    if (this.jwt) return expiryOf(request.user);
    const { authorization } = request.headers;
    const token = bearerToken(typeof authorization === 'string' ? authorization : undefined);
    return token === undefined ? undefined : tokenExpiry(token);
  }
}

async function identify(
  what: 'scope' | 'actor',
  user: unknown,
  field = 'user_id',
  resolver?: (user: unknown) => IdValue | Promise<IdValue>,
): Promise<string> {
  let id: string | undefined;
  try {
    id = identityText(resolver ? await resolver(user) : readField(user, field));
  } catch (error) {
    if (error instanceof SyncError || error instanceof HttpException) throw error;
    if (isDatabaseFailure(error)) throw outOfReach(error);
    throw new SyncError('scope_missing', `The ${what} of the user could not be resolved.`, { cause: error });
  }
  if (id !== undefined) return id;
  throw new SyncError(
    'scope_missing',
    resolver
      ? `The user has no ${what}: ${what}IdResolver gave no string, whole number or ObjectId.`
      : `The user has no ${what}: "${field}" is no string, whole number or ObjectId (see ${what}IdField).`,
  );
}
