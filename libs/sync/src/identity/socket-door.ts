import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { Inject, Injectable, Logger, type ExecutionContext, type Type } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModuleRef, type AbstractHttpAdapter } from '@nestjs/core';
import { SyncError } from 'nest-offline-sync-protocol';
import { failureTrace } from '../collections/answers';
import type { SyncOptions } from '../options/sync.options';
import { SYNC_CONTROLLER, SYNC_OPTIONS, SYNC_SETTINGS } from '../options/tokens';
import type { SyncSettings } from '../options/settings';
import { PortAnswers } from '../collections/port-answers';
import { GlobalGuards } from './host.guard';
import { corsAllows } from './host-cors';
import { isSameOrigin, originRule } from './origins';
import { upgradeContext } from './upgrade-context';

/**
 * What stands before the check of a socket's credentials: whether the headers that it was opened with may count, and
 * the global guards of the app. Nest and the browser see to both on the HTTP routes.
 */
@Injectable()
export class SocketDoor {
  private readonly logger = new Logger('SyncModule');
  private readonly guards: GlobalGuards;
  private readonly allowed: ReturnType<typeof originRule>;
  /** Looked at once for each socket. */
  private readonly strangers = new WeakMap<IncomingMessage, Promise<boolean>>();

  /** @throws SyncError `configuration` for unusable allowedOrigins */
  constructor(
    @Inject(SYNC_OPTIONS) private readonly options: Pick<SyncOptions, 'allowedOrigins' | 'jwt'>,
    @Inject(SYNC_CONTROLLER) private readonly controller: Type,
    config: ApplicationConfig,
    private readonly http: HttpAdapterHost,
    moduleRef: ModuleRef,
    @Inject(SYNC_SETTINGS) { retryDeadlineMs }: SyncSettings,
  ) {
    this.guards = new GlobalGuards(config, moduleRef, new PortAnswers(retryDeadlineMs));
    this.allowed = originRule(options.allowedOrigins);
  }

  /**
   * @param token undefined: the headers of the upgrade are the credentials
   * @returns the context of a request with these credentials, for the guard of the sync routes
   * @throws SyncError `origin_not_allowed`, and what {@link GlobalGuards.check} throws
   */
  async enter(upgrade: IncomingMessage, token: string | undefined): Promise<ExecutionContext> {
    const stranger = await this.isStranger(upgrade);
    // The shipped check reads one header: a socket without it has no credentials at all.
    const bare = this.options.jwt !== undefined && upgrade.headers.authorization === undefined;
    if (stranger && token === undefined && !bare)
      throw new SyncError(
        'origin_not_allowed',
        'A page of this origin is let in by no cookie and by no other header. Send a token in the message, or add the origin to the option allowedOrigins of the server.',
        { path: 'origin' },
      );
    const context = upgradeContext(upgrade, {
      token,
      stranger,
      controller: this.controller,
      app: this.adapter?.getInstance<unknown>(),
    });
    await this.guards.check(context);
    return context;
  }

  /** Whether a page opened this socket that the app has not let in. Clients that are no browsers send no Origin. */
  private isStranger(upgrade: IncomingMessage): Promise<boolean> {
    const origin = originOf(upgrade);
    if (origin === undefined) return Promise.resolve(false);
    const known = this.strangers.get(upgrade) ?? this.lets(upgrade, origin).then((lets) => !lets);
    this.strangers.set(upgrade, known);
    return known;
  }

  private async lets(upgrade: IncomingMessage, origin: string): Promise<boolean> {
    // A function decides alone.
    if (typeof this.options.allowedOrigins !== 'function') {
      const secure = (upgrade.socket as Partial<TLSSocket>).encrypted === true;
      if (isSameOrigin(origin, upgrade.headers.host, secure)) return true;
      if (!this.allowed) return origin !== 'null' && corsAllows(this.adapter, upgrade, origin);
    }
    try {
      return (await this.allowed?.(origin, upgrade)) === true;
    } catch (error) {
      this.logger.error(`The function of option allowedOrigins failed with ${failureTrace(error)}`);
      return false;
    }
  }

  private get adapter(): AbstractHttpAdapter | undefined {
    return this.http.httpAdapter as AbstractHttpAdapter | undefined;
  }
}

/** Browsers of an early version of the protocol called it otherwise, and `ws` still speaks that version. */
function originOf({ headers }: IncomingMessage): string | undefined {
  const early = headers['sec-websocket-origin'];
  return headers.origin ?? (Array.isArray(early) ? early.join() : early);
}
