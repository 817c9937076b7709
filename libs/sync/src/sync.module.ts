import {
  Inject,
  Module,
  type DynamicModule,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost, ModuleRef, ModulesContainer } from '@nestjs/core';
import type { Connection } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { CollectionRegistry } from './collections/collection-registry';
import { dataClash, routeClash } from './options/clashes';
import type { SyncExtras } from './options/extras';
import { ConfigurableModuleClass } from './options/module-definition';
import type { SyncCollectionOptions } from './options/sync.options';
import type { SyncSettings } from './options/settings';
import {
  getRegistryToken,
  getSyncToken,
  SYNC_CONNECTION,
  SYNC_EXTRAS,
  SYNC_SETTINGS,
} from './options/tokens';

/**
 * Offline-first sync for the app that imports it: `SyncModule.forRoot(options)` or `forRootAsync(...)` once, and
 * `SyncModule.forFeature([...])` wherever a feature module has its own collections.
 *
 * What is known before DI (`prefix`, `streamPath`, `isGlobal`, `http`, `stream`, `connectionName`) stands next to the
 * options in forRoot, and next to `useFactory` in forRootAsync.
 */
@Module({})
export class SyncModule extends ConfigurableModuleClass implements OnModuleInit, OnApplicationBootstrap {
  constructor(
    private readonly modules: ModulesContainer,
    @Inject(SYNC_EXTRAS) private readonly extras: SyncExtras,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_CONNECTION) private readonly connection: Connection,
    private readonly registry: CollectionRegistry,
    host: HttpAdapterHost,
  ) {
    super();
    if (host.listening)
      throw new SyncError(
        'configuration',
        'SyncModule: forRoot() comes too late from a module that is loaded lazily: Nest starts nothing in it, and makes no routes. Import it in the root module.',
      );
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
    // A new class for each call: Nest would take two of one class for the same module.
    @Module({})
    class SyncFeatureModule implements OnModuleInit {
      private isRegistered = false;

      /** Registers at once where it can: Nest calls no hook of a module that is loaded lazily. */
      constructor(private readonly moduleRef: ModuleRef) {
        const registry = readyRegistry(moduleRef, connectionName);
        if (registry) this.register(registry);
      }

      onModuleInit(): void {
        if (!this.isRegistered) this.register(registryOf(this.moduleRef, connectionName));
      }

      private register(registry: CollectionRegistry): void {
        for (const collection of collections) registry.register(collection);
        this.isRegistered = true;
      }
    }
    return { module: SyncFeatureModule };
  }

  /** @throws SyncError `configuration` when another instance has the same routes, socket or connection name */
  onModuleInit(): void {
    for (const other of this.others()) refuse(routeClash(this.extras, other.extras));
  }

  /** @throws SyncError `configuration` when another instance keeps another log for the same data */
  onApplicationBootstrap(): void {
    for (const other of this.others()) refuse(dataClash(this.data(), other.data()));
  }

  private others(): SyncModule[] {
    return [...this.modules.values()]
      .filter(({ metatype }) => metatype === SyncModule)
      .map(({ instance }) => instance as unknown as SyncModule)
      .filter((instance) => instance !== this);
  }

  private data(): Parameters<typeof dataClash>[0] {
    const { oplogCollection, headsCollection, receiptsCollection, leasesCollection } = this.settings;
    return {
      connectionName: this.extras.connectionName,
      database: this.connection.name,
      hosts: this.connection.getClient().options.hosts.map(String),
      log: [oplogCollection, headsCollection, receiptsCollection, leasesCollection],
      synced: this.registry.registeredNames(),
    };
  }
}

function refuse(clash: string | undefined): void {
  if (clash !== undefined) throw new SyncError('configuration', `SyncModule: ${clash}`);
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

/** The registry, once it is made: a half-made one has nothing to give yet. */
function readyRegistry(
  moduleRef: ModuleRef,
  connectionName: string | undefined,
): CollectionRegistry | undefined {
  try {
    const found: unknown = moduleRef.get(getRegistryToken(connectionName), { strict: false });
    return found instanceof CollectionRegistry && Object.keys(found).length > 0 ? found : undefined;
  } catch {
    return undefined;
  }
}
