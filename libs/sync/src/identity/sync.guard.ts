import {
  createParamDecorator,
  Inject,
  Injectable,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { IdentityService } from './identity.service';
import { identityOf, keepIdentity, requestOf, responseOf } from './request-identity';

/**
 * Lets a request pass with a known identity and keeps that for {@link identityOf} and {@link SyncUser}. Stands on the
 * sync routes; the app can put it on routes and GraphQL resolvers of its own that write through SyncService.
 */
@Injectable()
export class SyncGuard implements CanActivate {
  constructor(@Inject(IdentityService) private readonly identities: IdentityService) {}

  /** @throws as IdentityService.authenticate */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = requestOf(context);
    keepIdentity(request, await this.identities.authenticate(httpContext(context, request)));
    return true;
  }
}

/** A handler's parameter: the SyncIdentity of the request, behind {@link SyncGuard}. */
export const SyncUser = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  identityOf(requestOf(context)),
);

/** What a guard of HTTP routes expects, also on a resolver. */
function httpContext(context: ExecutionContext, request: object): ExecutionContext {
  if (context.getType() === 'http') return context;
  const parts = [request, responseOf(context), () => undefined];
  const made = new ExecutionContextHost(parts, context.getClass(), context.getHandler());
  made.setType('http');
  return made;
}
