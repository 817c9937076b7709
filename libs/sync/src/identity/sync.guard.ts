import { createParamDecorator, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { isObject, SyncError } from 'nest-offline-sync-protocol';
import type { SyncIdentity } from './identity';
import { IdentityService } from './identity.service';

/**
 * Lets a request pass with a known identity and keeps that for {@link identityOf} and {@link SyncUser}. Stands on the
 * sync routes; the app can put it on routes and GraphQL resolvers of its own that write through SyncService.
 */
@Injectable()
export class SyncGuard implements CanActivate {
  constructor(private readonly identities: IdentityService) {}

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

// Not a property of the request: nothing that a client sends or a host's middleware copies can get in here.
const identities = new WeakMap<object, SyncIdentity>();

function keepIdentity(request: object, identity: SyncIdentity): void {
  identities.set(request, identity);
}

/**
 * The identity that `SyncGuard` found for this request.
 *
 * @throws SyncError `configuration` when the guard did not run on the route
 */
export function identityOf(request: object): SyncIdentity {
  const identity = identities.get(request);
  if (identity) return identity;
  throw new SyncError(
    'configuration',
    'This request has no sync identity: put @UseGuards(SyncGuard) on the route or its controller.',
  );
}

/**
 * The HTTP request behind a handler: a route's own, or the one in the context of a GraphQL resolver.
 *
 * @throws SyncError `configuration` where there is none
 */
function requestOf(context: ExecutionContext): object {
  const type: string = context.getType();
  if (type === 'http') return context.switchToHttp().getRequest<object>();
  if (type !== 'graphql')
    throw new SyncError(
      'configuration',
      `SyncGuard and SyncUser need an HTTP request, and a handler of type "${type}" has none. Put them on HTTP routes and GraphQL resolvers; elsewhere check the credentials in a guard of your own and give { scopeId, actorId } to SyncService.`,
    );
  const request = graphqlPart(context, 'req') ?? graphqlPart(context, 'request');
  if (request) return request;
  throw new SyncError(
    'configuration',
    'SyncGuard and SyncUser find no HTTP request in the context of this GraphQL operation. Put it there: GraphQLModule.forRoot({ context: ({ req, res }) => ({ req, res }) }), also for subscriptions.',
  );
}

/** The answer to {@link requestOf}, where the GraphQL context has it. */
function responseOf(context: ExecutionContext): object | undefined {
  return graphqlPart(context, 'res') ?? graphqlPart(context, 'reply');
}

/** A resolver's arguments: root, args, context, info. */
function graphqlPart(context: ExecutionContext, name: string): object | undefined {
  const shared: unknown = context.getArgByIndex(2);
  const part = isObject(shared) ? shared[name] : undefined;
  return isObject(part) ? part : undefined;
}

/** What a guard of HTTP routes expects, also on a resolver. */
function httpContext(context: ExecutionContext, request: object): ExecutionContext {
  if (context.getType() === 'http') return context;
  const parts = [request, responseOf(context), () => undefined];
  const made = new ExecutionContextHost(parts, context.getClass(), context.getHandler());
  made.setType('http');
  return made;
}
