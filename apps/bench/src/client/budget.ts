export interface Entry {
  readonly name: string;
  /** Names by the path that they are imported from. */
  readonly imports: Readonly<Record<string, string>>;
}

export interface Budget extends Entry {
  /** At most so many bytes, minified by esbuild and packed by gzip. What it is now: a change that adds to it raises it here. */
  readonly bytes: number;
}

const CORE = { 'nest-offline-sync-client': 'createSyncClient, collection, inc, add' };

/** The client as apps import it. Its target is 17,000 for the first one; docs/performance.md says what came of it. */
export const BUDGETS: readonly Budget[] = [
  {
    name: 'core and IndexedDB',
    imports: { ...CORE, 'nest-offline-sync-client/indexeddb': 'indexedDb' },
    bytes: 45_500,
  },
  {
    name: 'core and memory',
    imports: { 'nest-offline-sync-client': 'createSyncClient, collection, inc, add, memory' },
    bytes: 42_850,
  },
  {
    name: 'core and SQLite (Expo)',
    imports: {
      ...CORE,
      'nest-offline-sync-client/sqlite': 'sqlite',
      'nest-offline-sync-client/sqlite/expo': 'expoSqlite',
    },
    bytes: 44_600,
  },
  { name: 'react', imports: { 'nest-offline-sync-client/react': 'useLive, useStatus' }, bytes: 300 },
  { name: 'rxjs', imports: { 'nest-offline-sync-client/rxjs': 'stream' }, bytes: 200 },
];

/** What apps import of others for the same: local storage, edits offline, live queries, sync. Their peers `react` and `rxjs` not counted. */
export const PEERS: readonly Entry[] = [
  { name: 'Replicache', imports: { replicache: 'Replicache' } },
  {
    name: 'TanStack DB, offline transactions',
    imports: {
      '@tanstack/db': 'createCollection, createLiveQueryCollection',
      '@tanstack/offline-transactions': 'startOfflineExecutor',
    },
  },
  {
    name: 'RxDB, Dexie storage, replication',
    imports: {
      rxdb: 'createRxDatabase',
      'rxdb/plugins/storage-dexie': 'getRxStorageDexie',
      'rxdb/plugins/replication': 'replicateRxCollection',
    },
  },
  { name: 'PowerSync (without its WASM)', imports: { '@powersync/web': 'PowerSyncDatabase' } },
];
