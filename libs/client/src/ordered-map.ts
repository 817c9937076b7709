/**
 * A map whose keys can be walked in order: numbers before strings, numbers by size, strings by UTF-16 code units. Cheap where
 * keys are added at the end; after another insertion the next walk sorts again.
 */
export class OrderedMap<Key extends string | number, Value> {
  private readonly values = new Map<Key, Value>();
  /** Undefined: to be sorted. */
  private sorted: Key[] | undefined = [];

  get size(): number {
    return this.values.size;
  }

  get(key: Key): Value | undefined {
    return this.values.get(key);
  }

  /** @param value undefined removes the key */
  set(key: Key, value: Value | undefined): void {
    if (value === undefined) {
      if (this.values.delete(key)) this.sorted = undefined;
      return;
    }
    if (!this.values.has(key)) {
      const last = this.sorted?.at(-1);
      if (this.sorted && (last === undefined || compareKeys(last, key) < 0)) this.sorted.push(key);
      else this.sorted = undefined;
    }
    this.values.set(key, value);
  }

  /** In order; a copy. */
  keys(): Key[] {
    return [...this.order()];
  }

  range(range: {
    readonly from?: Key | undefined;
    readonly above?: Key | undefined;
    readonly to?: Key | undefined;
    readonly limit?: number | undefined;
    readonly reverse?: boolean | undefined;
  }): (readonly [Key, Value])[] {
    const { from, above, to, limit = Infinity, reverse = false } = range;
    const order = this.order();
    const low = Math.max(
      from === undefined ? 0 : place(order, from, false),
      above === undefined ? 0 : place(order, above, true),
    );
    const high = to === undefined ? order.length : place(order, to, true);
    const found: (readonly [Key, Value])[] = [];
    for (let at = 0; at < high - low && found.length < limit; at++) {
      const key = order[reverse ? high - 1 - at : low + at] as Key;
      found.push([key, this.values.get(key) as Value]);
    }
    return found;
  }

  private order(): readonly Key[] {
    return (this.sorted ??= [...this.values.keys()].sort(compareKeys));
  }
}

/** Negative, zero or positive, as `a` is before, equal to or after `b`. */
export function compareKeys(a: string | number, b: string | number): number {
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** How many keys are below `key`, or with `including` at or below it. */
function place<Key extends string | number>(order: readonly Key[], key: Key, including: boolean): number {
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const side = compareKeys(order[middle] as Key, key);
    if (side < 0 || (including && side === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}
