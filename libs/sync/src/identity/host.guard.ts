import { Logger, Scope, type CanActivate, type ExecutionContext, type Type } from '@nestjs/common';
import { ContextIdFactory, type ApplicationConfig, type ModuleRef } from '@nestjs/core';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants.js';
import { SyncError } from 'nest-offline-sync-protocol';
import { failureTrace } from '../collections/answers';
import type { PortAnswers } from '../collections/port-answers';
import { isDatabaseError } from '../database/errors';
import { hostRefusal } from '../failures/host-refusal';

/**
 * The app's own guard, run by hand so that HTTP and the socket share it. Found among the app's providers, else made
 * in the context of SyncModule; a request-scoped one is made for each request.
 */
export class HostGuard implements CanActivate {
  private readonly logger = new Logger('SyncModule');
  private shared: CanActivate | undefined;

  constructor(
    private readonly type: Type<CanActivate>,
    private readonly moduleRef: ModuleRef,
    private readonly answers: PortAnswers,
    private readonly owner: 'SyncModule' | 'SyncAdminModule' = 'SyncModule',
  ) {}

  /** @throws SyncError `configuration` when the guard can neither be found nor made */
  async prepare(): Promise<void> {
    const scope = this.registeredScope();
    if (scope === Scope.DEFAULT) this.shared = this.moduleRef.get(this.type, { strict: false });
    if (scope !== undefined) return;
    try {
      this.shared = await this.moduleRef.create(this.type);
    } catch (cause) {
      throw new SyncError(
        'configuration',
        `${this.owner}: the guard ${this.type.name} cannot be made here. Add it to the providers of a module of the app, or the modules of its dependencies to the imports of ${this.owner}.forRootAsync().`,
        { path: 'guard', cause },
      );
    }
  }

  /**
   * @returns whether the guard answered `true`, or a promise or an Observable of it
   * @throws SyncError `unauthenticated` (401) or `forbidden` (403) for the guard's own refusals, and
   *   `unauthenticated` for any other error of it; HttpExceptions of another status with that status
   */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    try {
      const guard = this.shared ?? (await this.forRequest(context.switchToHttp().getRequest<object>()));
      return await this.answers.isYes(`guard ${this.type.name}`, guard.canActivate(context));
    } catch (error) {
      throw this.refusal(error);
    }
  }

  private registeredScope(): Scope | undefined {
    try {
      return this.moduleRef.introspect(this.type).scope;
    } catch {
      return undefined;
    }
  }

  private forRequest(request: object): Promise<CanActivate> {
    const contextId = ContextIdFactory.getByRequest(request);
    this.moduleRef.registerRequestByContextId(request, contextId);
    return this.moduleRef.resolve(this.type, contextId, { strict: false });
  }

  private refusal(error: unknown): Error {
    const refusal = refusalOf(error);
    if (refusal) return refusal;
    // Name and place only: the text may hold a piece of the token.
    this.logger.error(`${this.type.name} failed with ${failureTrace(error)}`);
    if (isDatabaseError(error)) return outOfReach(error);
    return new SyncError('unauthenticated', 'The credentials could not be verified.');
  }
}

/** A guard's own refusal as the engine says it; undefined for an error that is none. */
function refusalOf(error: unknown): SyncError | undefined {
  if (error instanceof SyncError) return error;
  const refusal = hostRefusal(error);
  if (refusal?.status === 401)
    return new SyncError('unauthenticated', words(refusal, 'The app refused the credentials.'));
  if (refusal?.status === 403)
    return new SyncError('forbidden', words(refusal, 'The app does not allow this.'));
  return refusal;
}

/** The app's user table out of reach: clients must not throw their tokens away because of that. */
export function outOfReach(cause: unknown): SyncError {
  return new SyncError('unavailable', 'Credentials cannot be checked at the moment. Try again shortly.', {
    retryAfterSeconds: 5,
    cause,
  });
}

/** The guard's own words, unless they are only the status's name. */
function words(error: SyncError, otherwise: string): string {
  return ['Unauthorized', 'Forbidden', 'Forbidden resource', ''].includes(error.message)
    ? otherwise
    : error.message;
}

/**
 * The global guards of the app (`APP_GUARD`, `useGlobalGuards`), run by hand where Nest does not run them: on a socket.
 * In the order that they have on the HTTP routes.
 */
export class GlobalGuards {
  private readonly logger = new Logger('SyncModule');

  constructor(
    private readonly config: ApplicationConfig,
    private readonly moduleRef: ModuleRef,
    private readonly answers: PortAnswers,
  ) {}

  /**
   * @throws SyncError for a guard that does not answer `true` (or a promise or an Observable of it); its own
   *   HttpException as the sync routes would answer it
   */
  async check(context: ExecutionContext): Promise<void> {
    for (const guard of this.config.getGlobalGuards()) await this.ask(guard, context);
    const scoped = this.config.getGlobalRequestGuards();
    if (scoped.length === 0) return;
    const request = context.switchToHttp().getRequest<object>();
    const contextId = ContextIdFactory.getByRequest(request);
    // Whatever else is made for this request belongs together with these.
    Object.defineProperty(request, REQUEST_CONTEXT_ID, { value: contextId });
    this.moduleRef.registerRequestByContextId(request, contextId);
    for (const { token } of scoped)
      await this.ask(await this.moduleRef.resolve(token, contextId, { strict: false }), context);
  }

  private async ask(guard: CanActivate, context: ExecutionContext): Promise<void> {
    let passes: boolean;
    try {
      passes = await this.answers.isYes(`global guard ${guard.constructor.name}`, guard.canActivate(context));
    } catch (error) {
      throw this.failure(guard, error);
    }
    if (!passes) throw new SyncError('forbidden', 'A global guard of the app does not let this socket pass.');
  }

  private failure(guard: CanActivate, error: unknown): Error {
    const refusal = refusalOf(error);
    if (refusal) return refusal;
    // Name and place only: the text may hold a piece of the token.
    this.logger.error(`${guard.constructor.name} failed on a socket with ${failureTrace(error)}`);
    if (isDatabaseError(error)) return outOfReach(error);
    return new SyncError('internal', 'Something went wrong in the server.');
  }
}
