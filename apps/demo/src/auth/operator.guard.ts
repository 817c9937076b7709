import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { IdentityService } from 'nest-offline-sync';

/** Lets operators in: the token is checked as on the sync routes, and has to say the role. */
@Injectable()
export class OperatorGuard implements CanActivate {
  constructor(private readonly identities: IdentityService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { user } = await this.identities.authenticate(context);
    return (user as { readonly role?: unknown } | undefined)?.role === 'operator';
  }
}
