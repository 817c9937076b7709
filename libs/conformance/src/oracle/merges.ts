import { documentKey, type ScopeIndex, type SeenEntry } from './scope-index';

/**
 * The entries that carry a marker because the change or write of that marker was applied. A merge may keep the marker of
 * the older side, so later entries that an answer says are merges, or that may be an unacknowledged one, are left out.
 */
export function entriesOf(scope: ScopeIndex, marker: string): readonly SeenEntry[] {
  const entries = scope.byMarker.get(marker) ?? [];
  if (entries.length < 2) return entries;
  return entries.filter(
    (entry, at) => at === 0 || !(scope.merged.has(entry.version) || mayBeMerge(scope, entry)),
  );
}

function mayBeMerge(scope: ScopeIndex, { collection, docId }: SeenEntry): boolean {
  return scope.merging.has(collection) && scope.openDocuments().has(documentKey(collection, docId));
}
