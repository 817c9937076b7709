import {
  ConfigurableModuleBuilder,
  Controller,
  Module,
  VERSION_NEUTRAL,
  type DynamicModule,
  type Type,
} from '@nestjs/common';
import { AdminController } from './http/admin.controller';
import { AdminGuard } from './http/admin.guard';
import { AdminTarget } from './http/admin-target';
import {
  ADMIN_EXTRA_DEFAULTS,
  adminPath,
  resolveAdminOptions,
  type SyncAdminExtras,
  type SyncAdminOptions,
} from './options/admin-options';
import { ADMIN_CONNECTION_NAME, ADMIN_PATH, ADMIN_SETTINGS } from './options/tokens';

/** What the host gave or its factory returned, before anybody has looked at it. */
const GIVEN_OPTIONS = Symbol('nest-offline-sync:given-admin-options');

/** For `useClass` and `useExisting` of forRootAsync. */
export interface SyncAdminOptionsFactory {
  createSyncAdminOptions(): SyncAdminOptions | Promise<SyncAdminOptions>;
}

export const { ConfigurableModuleClass, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<SyncAdminOptions>({ optionsInjectionToken: GIVEN_OPTIONS })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createSyncAdminOptions')
    .setExtras<SyncAdminExtras>({ ...ADMIN_EXTRA_DEFAULTS }, (definition, extras) =>
      complete(definition, extras),
    )
    .build();

/**
 * What an operator sees of sync, as routes behind the app's own guards: `SyncAdminModule.forRoot({ guards: [OperatorGuard] })`
 * beside SyncModule. `path` and `connectionName` stand next to `useFactory` in forRootAsync.
 *
 * @throws SyncError `configuration` (when the app starts) without a guard
 */
@Module({})
export class SyncAdminModule extends ConfigurableModuleClass {}

function complete(definition: DynamicModule, { path, connectionName }: SyncAdminExtras): DynamicModule {
  const plain = adminPath(path);
  return {
    ...definition,
    providers: [
      ...(definition.providers ?? []),
      { provide: ADMIN_SETTINGS, inject: [GIVEN_OPTIONS], useFactory: resolveAdminOptions },
      { provide: ADMIN_CONNECTION_NAME, useValue: { connectionName } },
      { provide: ADMIN_PATH, useValue: plain },
      AdminGuard,
      AdminTarget,
    ],
    controllers: [controllerAt(plain)],
  };
}

/** Nest reads a route's path from the class. */
function controllerAt(path: string): Type<AdminController> {
  @Controller({ path, version: VERSION_NEUTRAL })
  class PathController extends AdminController {}
  Object.defineProperty(PathController, 'name', { value: AdminController.name });
  return PathController;
}
