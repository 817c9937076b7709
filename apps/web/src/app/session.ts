import type { Place } from '../shop.ts';

/** Who is signed in on this device. The page and its service worker both read it, so it is in IndexedDB. */
export interface Session {
  readonly user: string;
  readonly business: string;
  /** Where the server has its routes: asked once, since nobody can be asked without network. */
  readonly place: Place;
  readonly token: string;
}

const NAME = 'shop-session';
const KEY = 'current';
/** Tells the other tabs. */
const channel = (): BroadcastChannel => new BroadcastChannel(NAME);

export async function readSession(): Promise<Session | undefined> {
  return inStore('readonly', (store) => store.get(KEY) as IDBRequest<Session | undefined>);
}

/** @param session undefined: nobody is signed in any more */
export async function writeSession(session: Session | undefined): Promise<void> {
  await inStore(
    'readwrite',
    (store) => (session ? store.put(session, KEY) : store.delete(KEY)) as IDBRequest<unknown>,
  );
  remember(session);
  const others = channel();
  others.postMessage(undefined);
  others.close();
}

/**
 * Who is signed in, or was until the browser removed the session: it is kept in another place. Undefined after signing out, and
 * where both are gone.
 */
export function lastUser(): Pick<Session, 'user' | 'business'> | undefined {
  try {
    return (JSON.parse(localStorage.getItem(NAME) ?? 'null') as Session | null) ?? undefined;
  } catch {
    return undefined;
  }
}

function remember(session: Session | undefined): void {
  try {
    if (!session) return localStorage.removeItem(NAME);
    const { user, business } = session;
    localStorage.setItem(NAME, JSON.stringify({ user, business }));
  } catch {
    // A service worker has none, and a browser may forbid it.
  }
}

/** Calls when another tab has signed in or out. Returns what ends it. */
export function watchSession(changed: () => void): () => void {
  const others = channel();
  others.onmessage = changed;
  return () => others.close();
}

async function inStore<T>(
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => void opening.result.createObjectStore(NAME);
  const database = await resultOf(opening);
  try {
    return await resultOf(work(database.transaction(NAME, mode).objectStore(NAME)));
  } finally {
    database.close();
  }
}

function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed.'));
  });
}
