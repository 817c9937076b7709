import type { History, HistoryEvent, LeakEvent, ProbeEvent, Tenant } from '../history';
import { ScopeIndex } from './scope-index';

/** The history by what the judges ask of it. Built once; linear in the history, except for sorting versions. */
export interface HistoryIndex {
  readonly history: History;
  readonly scopes: readonly ScopeIndex[];
  readonly probes: readonly ProbeEvent[];
  readonly leaks: readonly LeakEvent[];
  /** Whose a marker is. */
  readonly ownerOf: ReadonlyMap<string, Tenant>;
}

export function indexHistory(history: History): HistoryIndex {
  const scopes = { main: new ScopeIndex('main'), other: new ScopeIndex('other') };
  const probes: ProbeEvent[] = [];
  const leaks: LeakEvent[] = [];
  const ownerOf = new Map<string, Tenant>();
  for (const event of history.events) {
    if (event.kind === 'probe') {
      probes.push(event);
    } else if (event.kind === 'leak') {
      leaks.push(event);
    } else {
      scopes[event.tenant].add(event);
      for (const marker of markersOf(event)) ownerOf.set(marker, event.tenant);
    }
  }
  scopes.main.finish();
  scopes.other.finish();
  return { history, scopes: [scopes.main, scopes.other], probes, leaks, ownerOf };
}

function markersOf(event: HistoryEvent): string[] {
  if (event.kind === 'app-write') return [event.marker];
  if (event.kind !== 'push') return [];
  return event.changes.flatMap(({ marker }) => (marker === null ? [] : [marker]));
}
