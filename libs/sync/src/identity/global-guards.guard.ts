import { HttpException, Logger, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ContextIdFactory, type ApplicationConfig, type ModuleRef } from '@nestjs/core';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants.js';
import { isObservable, lastValueFrom } from 'rxjs';
import { failureTrace, isDatabaseFailure } from '../collections/failure';
import { SyncError } from '../protocol/errors';
import { outOfReach, refusalOf } from './host.guard';

/**
 * The global guards of the app (`APP_GUARD`, `useGlobalGuards`), run by hand where Nest does not run them: on a socket.
 * In the order that they have on the HTTP routes.
 */
export class GlobalGuards {
  private readonly logger = new Logger('SyncGuard');

  constructor(
    private readonly config: ApplicationConfig,
    private readonly moduleRef: ModuleRef,
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
    let answer: unknown;
    try {
      answer = await guard.canActivate(context);
      if (isObservable(answer)) answer = await lastValueFrom(answer, { defaultValue: false });
    } catch (error) {
      throw this.failure(guard, error);
    }
    if (answer !== true)
      throw new SyncError('forbidden', 'A global guard of the app does not let this socket pass.');
  }

  private failure(guard: CanActivate, error: unknown): Error {
    if (error instanceof SyncError) return error;
    if (error instanceof HttpException) return refusalOf(error);
    // Name and place only: the text may hold a piece of the token.
    this.logger.error(`${guard.constructor.name} failed on a socket with ${failureTrace(error)}`);
    if (isDatabaseFailure(error)) return outOfReach(error);
    return new SyncError('internal', 'Something went wrong in the server.');
  }
}
