import type { IncomingMessage } from 'node:http';
import {
  Inject,
  Injectable,
  type CanActivate,
  type ExecutionContext,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { SyncError } from 'nest-offline-sync-protocol';
import { inWords, isObservable } from '../collections/answers';
import { PortAnswers } from '../collections/port-answers';
import { isDatabaseError } from '../database/errors';
import { hostRefusal } from '../failures/host-refusal';
import type { IdValue, SyncOptions, SyncRequest } from '../options/sync.options';
import type { SyncSettings } from '../options/settings';
import { SYNC_OPTIONS, SYNC_SETTINGS } from '../options/tokens';
import { bearerToken, expiryOf, isTokenText, tokenExpiry } from './bearer-token';
import { HostGuard, outOfReach } from './host.guard';
import { identityText, readField, type SyncIdentity } from './identity';
import { createJwtCheck, type JwtCheck } from './jwt.guard';
import { SocketDoor } from './socket-door';

/**
 * Who asks, for both transports by the same way: the guard (the app's or the shipped JWT check), then the two ids out
 * of the user that it left on the request.
 */
@Injectable()
export class IdentityService implements OnModuleInit, OnApplicationShutdown {
  private readonly jwt: JwtCheck | undefined;
  private readonly host: HostGuard | undefined;
  private readonly guard: CanActivate;
  private readonly answers: PortAnswers;

  /** @throws SyncError `configuration` without any check of credentials, or with two */
  constructor(
    private readonly door: SocketDoor,
    @Inject(SYNC_OPTIONS) private readonly options: SyncOptions,
    moduleRef: ModuleRef,
    @Inject(SYNC_SETTINGS) settings: SyncSettings,
  ) {
    this.answers = new PortAnswers(settings.retryDeadlineMs);
    if (options.jwt && options.guard)
      throw new SyncError(
        'configuration',
        'SyncModule: options jwt and guard exclude each other. Keep jwt for the shipped check of bearer tokens, or guard for the guard of the app.',
      );
    if (options.guard) this.guard = this.host = new HostGuard(options.guard, moduleRef, this.answers);
    else if (options.jwt) this.guard = (this.jwt = createJwtCheck(options.jwt)).guard;
    else
      throw new SyncError(
        'configuration',
        'SyncModule: no authentication is configured. Set jwt: { secret } (or publicKey, or jwksUri) for the shipped check of bearer tokens, or guard: YourGuard for the guard of the app.',
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
   * @throws SyncError `unauthenticated`, `forbidden`, `scope_missing`, `unavailable`; what the app's guard
   *   throws with another status, with that status and its code
   */
  async authenticate(context: ExecutionContext): Promise<SyncIdentity> {
    const request = context.switchToHttp().getRequest<SyncRequest>();
    if (!(await this.guard.canActivate(context)))
      throw new SyncError('forbidden', 'The guard of the app does not let this request pass.');
    const { user: pick, actorIdField, scopeIdField, actorIdResolver, scopeIdResolver } = this.options;
    const user = pick ? await pick(request) : request.user;
    if (isObservable(user)) this.answers.complain('option user', `gave an Observable: ${SETTLE_IT}`);
    return {
      scopeId: await this.identify('scope', user, scopeIdField, scopeIdResolver),
      actorId: await this.identify('actor', user, actorIdField, actorIdResolver),
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
    const told: unknown = this.options.expiresAt?.(request);
    if (told !== undefined && told !== null) return this.endOf(told);
    // The shipped check verified exactly this payload; options.user may have made another object of it.
    if (this.jwt) return expiryOf(request.user);
    const { authorization } = request.headers;
    const token = bearerToken(typeof authorization === 'string' ? authorization : undefined);
    return token === undefined ? undefined : tokenExpiry(token);
  }

  /** @throws SyncError `configuration`: nobody could tell when such credentials end, and they would last for ever */
  private endOf(told: unknown): Date {
    if (told instanceof Date && !Number.isNaN(told.getTime())) return told;
    const what = told instanceof Date ? 'an invalid Date' : inWords(told);
    this.answers.complain(
      'option expiresAt',
      `gave ${what}: return the Date at which the credentials end, at once, or undefined`,
    );
    throw new SyncError(
      'configuration',
      `SyncModule: option expiresAt gave ${what}. It must return the Date at which the credentials end, or undefined.`,
      { path: 'expiresAt' },
    );
  }

  private async identify(
    what: 'scope' | 'actor',
    user: unknown,
    field = 'user_id',
    resolver?: (user: unknown) => IdValue | Promise<IdValue>,
  ): Promise<string> {
    let given: unknown;
    try {
      given = resolver ? await resolver(user) : readField(user, field);
    } catch (error) {
      const refusal = error instanceof SyncError ? error : hostRefusal(error);
      if (refusal) throw refusal;
      if (isDatabaseError(error)) throw outOfReach(error);
      throw new SyncError('scope_missing', `The ${what} of the user could not be resolved.`, {
        cause: error,
      });
    }
    const id = identityText(given);
    if (id !== undefined) return id;
    const option = resolver ? `option ${what}IdResolver` : `the field of option ${what}IdField`;
    // A text or a number that does not do came with the user; of another kind it is the app's own doing.
    if (!['string', 'number', 'undefined'].includes(typeof given) && given !== null)
      this.answers.complain(
        option,
        `gave ${inWords(given)}, which is no id: nobody gets in. It must be a text, a whole number or an ObjectId${isObservable(given) ? `; ${SETTLE_IT}` : ''}`,
      );
    throw new SyncError(
      'scope_missing',
      resolver
        ? `The user has no ${what}: ${what}IdResolver gave no string, whole number or ObjectId.`
        : `The user has no ${what}: "${field}" is no string, whole number or ObjectId (see ${what}IdField).`,
    );
  }
}

const SETTLE_IT = 'return a promise or a value';
