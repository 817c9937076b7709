/** What there is of each collection, in the same order. */
export function byCollection<T extends { readonly collection: string }>(
  all: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const found = new Map<string, T[]>();
  for (const each of all) {
    const some = found.get(each.collection) ?? [];
    found.set(each.collection, some);
    some.push(each);
  }
  return found;
}
