import type { ClientStorage } from '../storage.ts';
import { IndexedDbDatabase } from './database.ts';
import { storageError } from './failure.ts';
import { resultOf } from './requests.ts';

/** What the names of our databases begin with, among all that the origin has. */
const PREFIX = 'nest-offline-sync:';

/**
 * Keeps data in IndexedDB, in browsers and web views: all that have `indexedDB.databases` (Chrome 72, Safari 14, Firefox 126,
 * and later). A call touches nothing, so that it can stand in code that is rendered on a server too.
 */
export function indexedDb(): ClientStorage {
  return {
    kind: 'indexeddb',
    isShared: true,
    open: (name) => IndexedDbDatabase.open(name, PREFIX + name),
    // Open connections, in this tab and others, are told to close by the browser.
    remove: (name) =>
      named(async () => {
        await resultOf(indexedDB.deleteDatabase(PREFIX + name));
      }),
    list: () =>
      named(async () =>
        (await indexedDB.databases())
          .map(({ name = '' }) => name)
          .filter((name) => name.startsWith(PREFIX))
          .map((name) => name.slice(PREFIX.length)),
      ),
    marks: {
      get: (name) => inLocalStorage((place) => place.getItem(PREFIX + name)) ?? null,
      set: (name, text) =>
        inLocalStorage((place) =>
          text === null ? place.removeItem(PREFIX + name) : place.setItem(PREFIX + name, text),
        ),
    },
  };
}

/** A worker has none, and a browser may forbid it. */
function inLocalStorage<T>(work: (place: Storage) => T): T | undefined {
  try {
    return work(localStorage);
  } catch {
    return undefined;
  }
}

async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error);
  }
}
