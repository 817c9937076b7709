import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Connection } from 'mongoose';
import { SyncError, type LogChange } from 'nest-offline-sync-protocol';
import type { SyncIdentity } from '../identity/identity';
import { ScopeAccess } from '../identity/scope-access';
import type { SyncCollectionOptions, SyncOptions } from '../options/sync.options';
import type { SyncSettings } from '../options/settings';
import { SYNC_CONNECTION, SYNC_OPTIONS, SYNC_SETTINGS } from '../options/tokens';
import type { Collections, SyncedCollection } from './collection';
import { configurationError, readCollectionOptions } from './collection-options';
import { failureTrace } from './answers';
import { PortAnswers } from './port-answers';
import { PortResolver } from './port-resolver';
import { sealCollection, type Sealed } from './sealed-collection';

/**
 * The app's synced collections: those of forRoot from the start, those of forFeature as their modules start, and
 * none after {@link seal}, which the module calls in `onApplicationBootstrap`.
 */
@Injectable()
export class CollectionRegistry implements Collections {
  private readonly logger = new Logger('SyncModule');
  private readonly registered = new Map<string, SyncCollectionOptions>();
  private readonly reserved: readonly string[];
  private sealing: Promise<void> | undefined;
  private sealed: ReadonlyMap<string, SyncedCollection> | undefined;

  constructor(
    @Inject(SYNC_CONNECTION) private readonly connection: Connection,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_OPTIONS) private readonly options: SyncOptions,
    private readonly ports: PortResolver,
    private readonly access: ScopeAccess,
  ) {
    const { oplogCollection, headsCollection, receiptsCollection, leasesCollection } = settings;
    this.reserved = [oplogCollection, headsCollection, receiptsCollection, leasesCollection];
    for (const collection of options.collections ?? []) this.register(collection);
  }

  /**
   * Adds a collection. Its model and ports are looked for when the registry is sealed.
   *
   * @throws SyncError `configuration` for a bad option, a name given twice, or a sealed registry
   */
  register(given: string | SyncCollectionOptions): void {
    const options = readCollectionOptions(given, this.reserved);
    if (this.sealing)
      throw configurationError(
        options.name,
        'name',
        'comes too late: the app has started already. Import its module in one that the app starts with; a module that LazyModuleLoader loads cannot bring collections',
      );
    if (this.registered.has(options.name))
      throw configurationError(
        options.name,
        'name',
        'is registered twice: give it once, in forRoot or in one forFeature',
      );
    this.registered.set(options.name, options);
  }

  /**
   * Resolves every collection's model and ports. A second call gives the first one's result.
   *
   * @throws SyncError `configuration`, naming the collection and the remedy
   */
  seal(): Promise<void> {
    this.sealing ??= this.resolveAll();
    return this.sealing;
  }

  /** Known before {@link seal} too. */
  registeredNames(): readonly string[] {
    return [...this.registered.keys()];
  }

  /** What the app has given for a collection; known before {@link seal} too. */
  optionsOf(name: string): SyncCollectionOptions | undefined {
    return this.registered.get(name);
  }

  get(name: string): SyncedCollection | undefined {
    return this.collections().get(name);
  }

  names(): readonly string[] {
    return [...this.collections().keys()];
  }

  /**
   * The collections of a read. None asked means all that the identity may read, which can be none. Those that do not
   * live in the identity's scope are left out, also where they were asked for.
   *
   * @param path the parameter that named them, for errors
   * @throws SyncError `unknown_collection` for a name that is not synced, `forbidden` for one that the identity was
   * asked for and may not read
   */
  async readable(
    identity: SyncIdentity,
    requested: readonly string[] | undefined,
    path = 'collections',
  ): Promise<SyncedCollection[]> {
    const asked = requested?.length
      ? [...new Set(requested)].map((name) => this.known(name, path))
      : undefined;
    const candidates = (asked ?? [...this.collections().values()]).filter((one) =>
      one.livesIn(identity.scopeId),
    );
    const allowed = await Promise.all(candidates.map((one) => one.authorize(identity, 'read')));
    const denied = asked && candidates.find((_, index) => !allowed[index]);
    if (denied)
      throw new SyncError('forbidden', `Collection ${denied.name} may not be read with these credentials.`, {
        path,
      });
    return candidates.filter((_, index) => allowed[index]);
  }

  /**
   * The text of a log entry (a LogChange) without the fields that its collection hides by now: an entry is never
   * changed, and may be older than the option. Only asked where {@link DocumentForm.hasSecrets}.
   */
  redacted(wire: Buffer): Buffer {
    const change = JSON.parse(wire.toString()) as LogChange;
    const form = this.get(change.collection)?.rules.form;
    return change.data && form?.hide(change.data) ? Buffer.from(JSON.stringify(change)) : wire;
  }

  private known(name: string, path: string): SyncedCollection {
    const collection = this.get(name);
    if (collection) return collection;
    const shown = JSON.stringify(name.slice(0, 100));
    throw new SyncError('unknown_collection', `Collection ${shown} is not synced by this server.`, {
      path,
    });
  }

  private collections(): ReadonlyMap<string, SyncedCollection> {
    if (this.sealed) return this.sealed;
    throw new SyncError(
      'configuration',
      'SyncModule: the collections are known once the app has started. Await app.init() or app.listen() first.',
    );
  }

  private async resolveAll(): Promise<void> {
    await this.connection.asPromise();
    const kinds = await this.access.kinds();
    const first = [...this.registered.values()].find(({ scopes }) => scopes !== undefined);
    if (first && !kinds)
      throw configurationError(
        first.name,
        'scopes',
        "names kinds of scopes, and nothing says of which kind a scope is: give the module's option scopes a method kind",
      );
    const context = {
      connection: this.connection,
      settings: this.settings,
      defaults: this.options,
      ports: this.ports,
      answers: new PortAnswers(this.settings.retryDeadlineMs),
      kindOf: kinds ?? (() => undefined),
      report: (collection: string) => (step: string, error: unknown) => {
        this.logger.warn(
          `Collection ${collection}: a change was rejected because ${step} failed: ${failureTrace(error)}`,
        );
      },
    };
    const sealed: Sealed[] = [];
    for (const options of this.registered.values()) sealed.push(await sealCollection(options, context));
    this.sealed = new Map(sealed.map(({ collection }) => [collection.name, collection]));
    this.explainChosenIds(sealed);
  }

  private explainChosenIds(sealed: readonly Sealed[]): void {
    const names = sealed
      .filter(({ kind }) => kind === 'string' || kind === 'number' || kind === 'free')
      .map(({ collection }) => collection.name)
      .filter((name) => this.registered.get(name)?.ids === undefined);
    if (names.length === 0) return;
    this.logger.warn(
      `Clients choose the ids of ${names.join(', ')} among strings or numbers, and all scopes share them: one scope can take an id before another needs it ("settings"), and learns by id_unavailable that an id is taken, though nothing more. Say ids: 'scoped' to give each scope its own ids, or ids: 'global' if this is meant (random UUIDs, say).`,
    );
  }
}
