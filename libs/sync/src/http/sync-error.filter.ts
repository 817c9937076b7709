import { randomUUID } from 'node:crypto';
import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { errorBody, SyncError } from 'nest-offline-sync-protocol';
import { describeFailure, retryAfter, toldFailure } from '../failures/failure';
import { destroyResponse, exposeHeaders } from './response';

/**
 * For the app's own routes: gives each SyncError its status and the shape that the sync routes have, `{statusCode, code,
 * message, path?}`. Every other error is the app's: it goes on to the app's filters, or to Nest.
 */
@Catch(SyncError)
export class SyncErrorFilter implements ExceptionFilter<SyncError> {
  protected readonly logger = new Logger('SyncModule');

  constructor(protected readonly host: HttpAdapterHost) {}

  /** @returns the error, for transports other than HTTP: they answer with what a filter gives them */
  catch(error: SyncError, context: ArgumentsHost): unknown {
    if (context.getType() !== 'http') return error;
    this.tell(error, context);
    return undefined;
  }

  protected tell(error: SyncError, context: ArgumentsHost): void {
    if (error.status === 500) this.logger.error(describeFailure(error));
    this.answer(error, context);
  }

  protected answer(error: SyncError, context: ArgumentsHost): void {
    const response: unknown = context.switchToHttp().getResponse();
    const { httpAdapter } = this.host;
    exposeHeaders(response);
    if (httpAdapter.isHeadersSent(response)) return destroyResponse(response);
    httpAdapter.setHeader(response, 'Cache-Control', 'no-store');
    const after = this.retryAfter(error, response);
    if (after !== undefined) httpAdapter.setHeader(response, 'Retry-After', String(after));
    httpAdapter.reply(response, errorBody(error), error.status);
  }

  private retryAfter(error: SyncError, response: unknown): number | undefined {
    if (error.retryAfterSeconds !== undefined) return error.retryAfterSeconds;
    // A throttler of the host has set the header itself: its word is better than ours.
    const isSet: unknown = this.host.httpAdapter.getHeader(response, 'Retry-After');
    return isSet === undefined ? retryAfter(error) : undefined;
  }
}

/**
 * For the sync routes: every error has that shape there, whatever filters the host has. What was not foreseen becomes a
 * 500 that says nothing but a correlation id; the log has the same id and the place.
 */
@Catch()
export class SyncRouteFilter extends SyncErrorFilter {
  override catch(error: unknown, context: ArgumentsHost): void {
    const { told, log } = toldFailure(error, randomUUID);
    if (log) this.logger[log.level](log.text);
    this.answer(told, context);
  }
}
