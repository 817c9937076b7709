import { randomUUID } from 'node:crypto';
import {
  Catch,
  HttpException,
  Inject,
  Logger,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { errorBody, SyncError, type ErrorBody } from '../protocol/errors';
import { codeForStatus, describeFailure, isDatabaseOutOfReach, RETRY_AFTER_SECONDS } from './failure';
import { destroyResponse } from './connection';
import { exposeHeaders } from './exposed-headers';

/**
 * Gives every error of the sync routes one shape, whatever filters the host has: `{statusCode, code, message, path?}`.
 * What was not foreseen becomes a 500 that says nothing but a correlation id; the log has the same id and the place.
 */
@Catch()
export class SyncErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('SyncModule');

  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  catch(error: unknown, context: ArgumentsHost): void {
    const response: unknown = context.switchToHttp().getResponse();
    const { httpAdapter } = this.host;
    exposeHeaders(response);
    const { body, retryAfterSeconds } = this.answer(error);
    if (httpAdapter.isHeadersSent(response)) return destroyResponse(response);
    httpAdapter.setHeader(response, 'Cache-Control', 'no-store');
    if (retryAfterSeconds !== undefined)
      httpAdapter.setHeader(response, 'Retry-After', String(retryAfterSeconds));
    httpAdapter.reply(response, body, body.statusCode);
  }

  private answer(error: unknown): { body: ErrorBody; retryAfterSeconds?: number } {
    if (error instanceof HttpException) {
      const statusCode = error.getStatus();
      return { body: { statusCode, code: codeForStatus(statusCode), message: error.message } };
    }
    const known = error instanceof SyncError ? error : this.translate(error);
    if (known === error && known.status === 500) this.logger.error(describeFailure(known));
    return {
      body: errorBody(known),
      retryAfterSeconds: known.status === 503 ? (known.retryAfterSeconds ?? RETRY_AFTER_SECONDS) : undefined,
    };
  }

  private translate(error: unknown): SyncError {
    if (isDatabaseOutOfReach(error)) {
      this.logger.warn(`The database is out of reach: ${describeFailure(error)}`);
      return new SyncError('unavailable', 'The database is out of reach at the moment. Try again shortly.');
    }
    const id = randomUUID();
    this.logger.error(`Unexpected error ${id}: ${describeFailure(error)}`);
    return new SyncError(
      'internal',
      `The server met an unexpected error. Its operator finds it in the log as ${id}.`,
    );
  }
}
