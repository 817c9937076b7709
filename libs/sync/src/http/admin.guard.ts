import {
  Inject,
  Injectable,
  createParamDecorator,
  type CanActivate,
  type ExecutionContext,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { SyncError } from 'nest-offline-sync-protocol';
import { PortAnswers } from '../collections/port-answers';
import { HostGuard } from '../identity/host.guard';
import type { SyncAdminSettings } from '../options/admin-options';
import { ADMIN_SETTINGS } from '../options/tokens';

/** How long a guard of the app may take. Milliseconds. */
const LIMIT_MS = 15_000;

/** Lets a request of an operator pass: each of the app's guards has to answer `true`, one after another. */
@Injectable()
export class AdminGuard implements CanActivate, OnModuleInit {
  private readonly guards: readonly HostGuard[];

  constructor(@Inject(ADMIN_SETTINGS) { guards }: SyncAdminSettings, moduleRef: ModuleRef) {
    const answers = new PortAnswers(LIMIT_MS);
    this.guards = guards.map((guard) => new HostGuard(guard, moduleRef, answers, 'SyncAdminModule'));
  }

  /** @throws SyncError `configuration` when a guard can neither be found nor made */
  async onModuleInit(): Promise<void> {
    for (const guard of this.guards) await guard.prepare();
  }

  /** @throws SyncError `unauthenticated`, `forbidden`, and the guards' own refusals of another status */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    for (const guard of this.guards)
      if (!(await guard.canActivate(context)))
        throw new SyncError('forbidden', 'The app does not let this request of an operator pass.');
    admitted.add(context.switchToHttp().getRequest<object>());
    return true;
  }
}

// Not a property of the request: nothing that a client sends or a host's middleware copies can get in here.
const admitted = new WeakSet<object>();

/**
 * A handler's parameter that says that {@link AdminGuard} has let the request pass. Where a guard was skipped, whatever the
 * reason, the handler does not begin.
 *
 * @throws SyncError `forbidden`
 */
export const Admitted = createParamDecorator((_data: unknown, context: ExecutionContext): true => {
  if (admitted.has(context.switchToHttp().getRequest<object>())) return true;
  throw new SyncError('forbidden', 'No guard of the app has let this request pass.');
});
