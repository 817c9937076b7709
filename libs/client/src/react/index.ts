import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { LiveRows } from '../live-query.ts';
import type { Observable } from '../observable.ts';
import type { Status } from '../status.ts';

/**
 * The rows of a live query, again with each change of what the user sees. On a server: no rows, not complete.
 *
 * @param query makes the query: `() => client.db.tasks.live({ where: { list } })`. Called again when `inputs` change
 * @param inputs what the query is made of, as the dependencies of `useMemo`: always as many
 */
export function useLive<T>(
  query: () => Observable<LiveRows<T>>,
  inputs: readonly unknown[] = [],
): LiveRows<T> {
  return useObservable(useMemo(query, inputs));
}

/** How the sync stands, again with each change. */
export function useStatus(client: { readonly status: Observable<Status> }): Status {
  return useObservable(client.status);
}

/** What any observable of the client says now: refused changes (`client.rejected.live()`), say. Give the same one each time. */
export function useObservable<T>(observable: Observable<T>): T {
  const subscribe = useCallback((changed: () => void) => observable.subscribe(changed), [observable]);
  const look = (): T => observable.current;
  return useSyncExternalStore(subscribe, look, look);
}
