import { Inject, Module, type DynamicModule, type OnModuleInit } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import type { CollectionRegistry } from './collections/collection-registry.service';
import { SyncError } from './protocol/errors';
import { getRegistryToken, getSyncToken } from './sync.connection-tokens';
import type { SyncExtras } from './sync.extras';
import { ConfigurableModuleClass } from './sync.module-definition';
import type { SyncCollectionOptions } from './sync.options';
import type { SyncSettings } from './sync.settings';
import { SYNC_EXTRAS, SYNC_SETTINGS } from './sync.tokens';

/**
 * Offline-first sync for the app that imports it: `SyncModule.forRoot(options)` or `forRootAsync(...)` once, and
 * `SyncModule.forFeature([...])` wherever a feature module has collections of its own.
 *
 * What is known before DI (`prefix`, `streamPath`, `isGlobal`, `http`, `stream`, `connectionName`) stands beside the
 * options in forRoot, and beside `useFactory` in forRootAsync.
 */
@Module({})
export class SyncModule extends ConfigurableModuleClass implements OnModuleInit {
  constructor(
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(SYNC_EXTRAS) private readonly extras: SyncExtras,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {
    super();
  }

  /**
   * Registers collections next to their schemas. The module's own SyncModule.forRoot() may be imported anywhere in
   * the app.
   *
   * @param connectionName of the instance that they belong to, when the app has several
   */
  static forFeature(
    collections: readonly (string | SyncCollectionOptions)[],
    connectionName?: string,
  ): DynamicModule {
    // A class of its own for each call: Nest would take two of one class for the same module.
    @Module({})
    class SyncFeatureModule implements OnModuleInit {
      constructor(@Inject(ModuleRef) private readonly moduleRef: ModuleRef) {}

      onModuleInit(): void {
        const registry = registryOf(this.moduleRef, connectionName);
        for (const collection of collections) registry.register(collection);
      }
    }
    return { module: SyncFeatureModule };
  }

  /** @throws SyncError `configuration` when another instance works on the same log */
  onModuleInit(): void {
    for (const other of this.modules.values()) {
      const instance = other.metatype === SyncModule ? (other.instance as unknown as SyncModule) : this;
      if (
        instance !== this &&
        instance.extras.connectionName === this.extras.connectionName &&
        instance.settings.oplogCollection === this.settings.oplogCollection
      )
        throw new SyncError(
          'configuration',
          'SyncModule: forRoot() is imported twice for the same connection. Import it once, in the root module, and add collections elsewhere with SyncModule.forFeature([...]). A second instance needs another connectionName.',
        );
    }
  }
}

/** Injects the SyncService of one instance, when the app has several. */
export const InjectSync = (connectionName?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getSyncToken(connectionName));

function registryOf(moduleRef: ModuleRef, connectionName: string | undefined): CollectionRegistry {
  try {
    return moduleRef.get<CollectionRegistry>(getRegistryToken(connectionName), { strict: false });
  } catch (cause) {
    const named = connectionName === undefined ? '' : ` with connectionName: '${connectionName}'`;
    throw new SyncError(
      'configuration',
      `SyncModule: forFeature() found no SyncModule.forRoot()${named} in this app. Import that in the root module.`,
      { cause },
    );
  }
}
