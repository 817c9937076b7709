import type { AccessEvent, History, HistoryEvent, LeakEvent, ProbeEvent, StrayEvent } from '../history';
import { ScopeIndex } from './scope-index';

/** The history by what the judges ask of it. Built once; linear in the history, except for sorting versions. */
export interface HistoryIndex {
  readonly history: History;
  /** One a log: of each tenant's own scope, and of the others that were named. */
  readonly scopes: readonly ScopeIndex[];
  readonly probes: readonly ProbeEvent[];
  readonly leaks: readonly LeakEvent[];
  readonly strays: readonly StrayEvent[];
  readonly accesses: readonly AccessEvent[];
  /** In which log a marker was written. */
  readonly ownerOf: ReadonlyMap<string, ScopeIndex>;
}

export function indexHistory(history: History): HistoryIndex {
  const scopes = new Map(['main', 'other'].map((name) => [name, new ScopeIndex(name)]));
  const [probes, leaks, strays]: [ProbeEvent[], LeakEvent[], StrayEvent[]] = [[], [], []];
  const accesses: AccessEvent[] = [];
  const ownerOf = new Map<string, ScopeIndex>();
  for (const event of history.events) {
    if (event.kind === 'probe') probes.push(event);
    else if (event.kind === 'leak') leaks.push(event);
    else if (event.kind === 'stray') strays.push(event);
    else if (event.kind === 'access') accesses.push(event);
    else {
      const name = event.scope === undefined ? event.tenant : `scope ${event.scope}`;
      const scope = scopes.get(name) ?? new ScopeIndex(name, event.scope);
      scopes.set(name, scope);
      scope.add(event);
      for (const marker of markersOf(event)) ownerOf.set(marker, scope);
    }
  }
  for (const scope of scopes.values()) scope.finish();
  return { history, scopes: [...scopes.values()], probes, leaks, strays, accesses, ownerOf };
}

function markersOf(event: HistoryEvent): string[] {
  if (event.kind === 'app-write') return [event.marker];
  if (event.kind !== 'push') return [];
  return event.changes.flatMap(({ marker }) => (marker === null ? [] : [marker]));
}
