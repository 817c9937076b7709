import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import type { IndexPlan, Span } from './rules/index-plan.ts';
import { compare } from './rules/query.ts';

interface Entry {
  readonly key: readonly unknown[];
  readonly id: DocId;
}

/** From more changes than this on, sorting once is cheaper than moving all entries behind each. */
const MANY = 64;

/** The ids of all documents of a collection, in the order of some of their fields, in memory. It keeps no documents. */
export class OrderedIndex {
  private entries: Entry[] = [];
  private readonly known = new Map<DocId, Entry>();

  constructor(readonly fields: readonly string[]) {}

  get size(): number {
    return this.known.size;
  }

  /** For the first building: {@link sort} follows. */
  add(id: DocId, data: JsonObject): void {
    const entry = { id, key: this.fields.map((field) => scalar(data[field])) };
    this.entries.push(entry);
    this.known.set(id, entry);
  }

  clear(): void {
    this.entries = [];
    this.known.clear();
  }

  /** Whether the index knows a document as it is. */
  isCurrent(id: DocId, data: JsonObject): boolean {
    const { key } = this.known.get(id) ?? {};
    return key !== undefined && this.fields.every((field, at) => scalar(data[field]) === key[at]);
  }

  sort(): void {
    this.entries.sort(inOrder);
  }

  /** @param changes null: there is no such document any more */
  update(changes: readonly (readonly [id: DocId, data: JsonObject | null])[]): void {
    if (changes.length > MANY) return this.rebuild(changes);
    for (const [id, data] of changes) {
      const before = this.known.get(id);
      if (before) {
        this.entries.splice(this.place(before), 1);
        this.known.delete(id);
      }
      if (!data) continue;
      this.add(id, data);
      const entry = this.entries.pop() as Entry;
      this.entries.splice(this.place(entry), 0, entry);
    }
  }

  /** The ids of a plan, in its order. */
  *ids({ spans, order }: IndexPlan): Generator<DocId> {
    for (const span of spans) {
      const low = this.bound(span, 'from');
      let high = this.bound(span, 'to');
      if (order !== 'down') for (let at = low; at < high; at++) yield (this.entries[at] as Entry).id;
      else
        while (high > low) {
          // Those of the same fields rise by id, also on the way down.
          const { key } = this.entries[high - 1] as Entry;
          const first = Math.max(
            low,
            this.search((entry) => compareKeys(entry.key, key) >= 0),
          );
          for (let at = first; at < high; at++) yield (this.entries[at] as Entry).id;
          high = first;
        }
    }
  }

  private rebuild(changes: readonly (readonly [id: DocId, data: JsonObject | null])[]): void {
    const latest = new Map(changes);
    this.entries = this.entries.filter(({ id }) => !latest.has(id));
    for (const [id, data] of latest)
      if (data) this.add(id, data);
      else this.known.delete(id);
    this.sort();
  }

  private bound({ values, from, to, hasFrom, hasTo }: Span, side: 'from' | 'to'): number {
    const key = side === 'from' ? (hasFrom ? [...values, from] : values) : hasTo ? [...values, to] : values;
    return this.search((entry) => {
      const at = compareKeys(entry.key, key);
      return side === 'from' ? at >= 0 : at > 0;
    });
  }

  private place(entry: Entry): number {
    return this.search((each) => inOrder(each, entry) >= 0);
  }

  /** The first entry for which it holds; for all behind it, it has to hold too. */
  private search(holds: (entry: Entry) => boolean): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.entries[middle] as Entry)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Objects and lists have no order among each other: nothing of them is kept. */
function scalar(value: unknown): unknown {
  return typeof value === 'object' ? null : value;
}

/** As far as the second one goes. */
function compareKeys(key: readonly unknown[], other: readonly unknown[]): number {
  for (let at = 0; at < other.length; at++) {
    const side = compare(key[at], other[at]);
    if (side !== 0) return side;
  }
  return 0;
}

function inOrder(a: Entry, b: Entry): number {
  return compareKeys(a.key, b.key) || compare(a.id, b.id);
}
