/** The collections that a reader gets entries of: those that it asked for, authorized already. */
export class Selection {
  private readonly set: ReadonlySet<string>;
  private text: string | undefined;

  constructor(readonly names: readonly string[]) {
    this.set = new Set(names);
  }

  /** Whether an entry is of one of them. */
  has({ collection }: { readonly collection?: string }): boolean {
    return collection !== undefined && this.set.has(collection);
  }

  /** Whether another selection is of the same collections, in whatever order. */
  isSameAs({ set }: Selection): boolean {
    return set.size === this.set.size && [...set].every((name) => this.set.has(name));
  }

  /** The same as a condition on the log's records. */
  filter(): { readonly collection: { readonly $in: string[] } } {
    return { collection: { $in: [...this.names] } };
  }

  /** The same text for the same names in the same order, and no other. */
  get key(): string {
    return (this.text ??= JSON.stringify(this.names));
  }
}

const KEPT = 256;

/** Thousands of subscribers ask for the same few selections, mostly for all that there is: they share them. */
export class Selections {
  private readonly kept = new Map<string, Selection>();

  of(names: readonly string[]): Selection {
    const selection = new Selection([...names]);
    const kept = this.kept.get(selection.key);
    if (kept) return kept;
    // Clients can think of as many as they like.
    if (this.kept.size >= KEPT) this.kept.clear();
    this.kept.set(selection.key, selection);
    return selection;
  }
}

/** Whether two lists have the same names, in whatever order. Neither names one twice. */
export function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}
