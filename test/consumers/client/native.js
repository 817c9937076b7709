import { expoSqlite } from 'nest-offline-sync-client/sqlite/expo';
import { sqlite } from 'nest-offline-sync-client/sqlite';
import { createApp } from './app.js';

/** The database of expo-sqlite is given from outside: only the bundle is checked here. */
globalThis.start = (database) => createApp(sqlite(() => expoSqlite(database)));
