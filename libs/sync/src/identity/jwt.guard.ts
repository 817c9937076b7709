import { randomUUID } from 'node:crypto';
import { Logger, type CanActivate } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import type { SyncJwtOptions } from '../sync.options';
import { resolveJwt } from './jwt.options';
import { registerJwtStrategy } from './jwt.strategy';
import { tokenFailure } from './token-failure';

/** The shipped check of bearer tokens, and how to take it out of passport's table when the app ends. */
export interface JwtCheck {
  readonly guard: CanActivate;
  readonly dispose: () => void;
}

/** @throws SyncError `configuration` for options that could verify nothing, or too much */
export function createJwtCheck(options: SyncJwtOptions): JwtCheck {
  const verification = resolveJwt(options);
  if (verification.warning !== undefined) new Logger('SyncModule').warn(verification.warning);
  const name = `nest-offline-sync:${randomUUID()}`;
  const dispose = registerJwtStrategy(name, verification);
  class JwtGuard extends AuthGuard(name) {
    /** @throws SyncError `unauthenticated` with the reason, which passport's own answer leaves out */
    override handleRequest<User>(error: unknown, user: User | false | null | undefined, info: unknown): User {
      if (error instanceof Error) throw error;
      if (!user) throw tokenFailure(info);
      return user;
    }
  }
  return { guard: new JwtGuard(), dispose };
}
