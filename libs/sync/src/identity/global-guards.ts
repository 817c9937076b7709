import { Logger, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ContextIdFactory, type ApplicationConfig, type ModuleRef } from '@nestjs/core';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants.js';
import { failureTrace } from '../collections/answers';
import type { PortAnswers } from '../collections/port-answers';
import { isDatabaseError } from '../database/errors';
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
