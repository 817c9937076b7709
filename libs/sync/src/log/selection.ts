/** Collections that a subscriber has asked for. */
export interface Selection {
  readonly names: readonly string[];
  readonly asked: ReadonlySet<string>;
}

const KEPT = 256;

/** Thousands of subscribers ask for the same few selections, mostly for all that there is: they share them. */
export class Selections {
  private readonly kept = new Map<string, Selection>();

  of(names: readonly string[]): Selection {
    const key = JSON.stringify(names);
    const kept = this.kept.get(key);
    if (kept) return kept;
    const selection = { names: [...names], asked: new Set(names) };
    // Clients can think of as many as they like.
    if (this.kept.size >= KEPT) this.kept.clear();
    this.kept.set(key, selection);
    return selection;
  }
}
