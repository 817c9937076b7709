import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import { SyncError } from 'nest-offline-sync';

/** On the app's own routes: what SyncGuard and SyncService throw has a status, a stable code and a message to show. */
@Catch(SyncError)
export class SyncErrorsFilter implements ExceptionFilter<SyncError> {
  catch({ status, code, message, retryAfterSeconds }: SyncError, context: ArgumentsHost): void {
    const response = context.switchToHttp().getResponse<Response>();
    if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', String(retryAfterSeconds));
    response.status(status).json({ statusCode: status, code, message });
  }
}
