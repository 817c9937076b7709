import type { FullEvent, FullRow } from '../history';
import { cutFull } from './evidence';
import { judgeDigests } from './digests';
import type { FindingBuilder } from './finding-builder';
import type { FinalRead } from './final-read';
import type { HistoryIndex } from './history-index';
import { documentKey, evidenceFor, type ScopeIndex, type SeenEntry } from './scope-index';
import { firstAbove } from './stamps';

/**
 * Invariant 6: the log folded, and a full resync with what comes after its cursor, give the same documents. A document
 * without an entry above the cursor must be in the full resync as its last entry left it; one with such an entry may
 * be there in any state that it had since.
 */
export function judgeConvergent(index: HistoryIndex, found: FindingBuilder): void {
  for (const scope of index.scopes) {
    for (const full of scope.fulls) {
      if (full.rows === null || full.lastSeq === null) continue;
      if (scope.final === null) {
        found.unchecked(`The log of ${scope.name} was not read to its end: full resyncs are not compared.`);
        continue;
      }
      new Comparison(scope, full, full.rows, full.lastSeq, scope.final, found).run();
    }
    judgeDigests(scope, found);
  }
}

class Comparison {
  readonly #rows = new Map<string, FullRow>();
  readonly #collections = new Set<string>();

  constructor(
    private readonly scope: ScopeIndex,
    private readonly full: FullEvent,
    private readonly rows: readonly FullRow[],
    private readonly cursor: string,
    private readonly final: FinalRead,
    private readonly found: FindingBuilder,
  ) {}

  run(): void {
    for (const row of this.rows) {
      const key = documentKey(row.collection, row.docId);
      if (this.#rows.has(key)) this.#violated(row, null, 'is in it twice');
      this.#rows.set(key, row);
      this.#collections.add(row.collection);
    }
    for (const [key, entries] of this.scope.byDocument) this.#document(entries, this.#rows.get(key));
    for (const [key, row] of this.#rows) {
      if (!this.scope.byDocument.has(key)) this.#withoutEntry(row);
    }
  }

  #document(entries: readonly SeenEntry[], row: FullRow | undefined): void {
    const above = firstAbove(entries, this.cursor);
    const last = entries[above - 1];
    const settled = above === entries.length;
    if (row === undefined) {
      if (last === undefined || !settled || last.sight.entry.operation === 'delete') return;
      if (last.version <= this.final.from) return;
      if (!this.#collections.has(last.collection) && this.#rows.size > 0) {
        this.found.unchecked(`${last.collection} is in no row of a full resync: it may not allow one.`);
        return;
      }
      this.found.checked();
      this.#violated(last, last, 'is missing in it');
      return;
    }
    this.found.checked();
    if (row.version === null || this.#unread(row.version)) return;
    const entry = entries[firstAbove(entries, row.version) - 1];
    if (entry?.version !== row.version) {
      this.#violated(row, last ?? null, `has version ${row.version} in it, which is no entry of it`);
    } else if (last !== undefined && row.version < last.version) {
      this.#violated(row, last, `is in it as of ${row.version}, older than its cursor ${this.cursor} allows`);
    } else if (row.deleted !== (entry.sight.entry.operation === 'delete')) {
      this.#violated(row, entry, `is ${row.deleted ? 'deleted' : 'alive'} in it, unlike in the log`);
    } else if (!row.deleted && row.digest !== entry.sight.entry.digest) {
      this.#violated(row, entry, `has other content in it than in the log at ${row.version}`);
    }
  }

  /** A document that went through sync has an entry. */
  #withoutEntry(row: FullRow): void {
    if (row.version === null || this.#unread(row.version)) return;
    this.found.checked();
    this.#violated(row, null, `has version ${row.version} in it, and no entry in the log`);
  }

  /** Whether the entry of a version may be one that no complete reading covers. */
  #unread(version: string): boolean {
    const { from, to } = this.final;
    return (version <= from || version > to) && this.scope.known.get(version)?.sight == null;
  }

  #violated(
    { collection, docId }: { readonly collection: string; readonly docId: string },
    entry: SeenEntry | null,
    what: string,
  ): void {
    this.found.violated(
      () => `Full resync of ${this.full.reader} (${this.scope.name}): ${collection} ${docId} ${what}.`,
      () => [
        cutFull(this.full, collection, docId),
        ...(entry === null ? this.scope.lastFinalPage() : evidenceFor(entry)),
      ],
    );
  }
}
