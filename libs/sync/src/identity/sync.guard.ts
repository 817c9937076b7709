import {
  createParamDecorator,
  Inject,
  Injectable,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { IdentityService } from './identity.service';
import { identityOf, keepIdentity } from './request-identity';

/**
 * Lets a request pass with a known identity and keeps that for {@link identityOf} and {@link SyncUser}. Stands on the
 * sync routes; the app can put it on routes of its own that write through SyncService.
 */
@Injectable()
export class SyncGuard implements CanActivate {
  constructor(@Inject(IdentityService) private readonly identities: IdentityService) {}

  /** @throws as IdentityService.authenticate */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const identity = await this.identities.authenticate(context);
    keepIdentity(context.switchToHttp().getRequest<object>(), identity);
    return true;
  }
}

/** A handler's parameter: the SyncIdentity of the request, on routes behind {@link SyncGuard}. */
export const SyncUser = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  identityOf(context.switchToHttp().getRequest<object>()),
);
