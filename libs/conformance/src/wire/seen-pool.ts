import type { Seen } from '../history';
import { parseEntry, type Reading } from './parse';

const RECENT = 20_000;

/**
 * Many readers get the same entries: each is kept once, however often it is seen. An entry that comes with the same
 * version and different content is kept next to it.
 */
export class SeenPool {
  private readonly byVersion = new Map<string, Seen>();
  /** Texts of the stream's latest messages, so that the same bytes are read once. Two generations. */
  private texts = new Map<string, Seen>();
  private olderTexts = new Map<string, Seen>();

  constructor(private readonly reading: Reading) {}

  /** @param value a parsed entry */
  of(value: unknown): Seen {
    const entry = parseEntry(value, this.reading);
    const known = this.byVersion.get(entry.version);
    if (known === undefined) {
      this.byVersion.set(entry.version, entry);
      return entry;
    }
    return same(known, entry) ? known : entry;
  }

  /** The entry of a message that came with exactly this text before. */
  ofText(text: string): Seen | undefined {
    return this.texts.get(text) ?? this.olderTexts.get(text);
  }

  keepText(text: string, entry: Seen): void {
    if (this.texts.size >= RECENT) {
      this.olderTexts = this.texts;
      this.texts = new Map();
    }
    this.texts.set(text, entry);
  }

  has(version: string): boolean {
    return this.byVersion.has(version);
  }
}

function same(a: Seen, b: Seen): boolean {
  return (
    a.seq === b.seq &&
    a.collection === b.collection &&
    a.docId === b.docId &&
    a.operation === b.operation &&
    a.marker === b.marker &&
    a.digest === b.digest &&
    a.client === b.client &&
    a.mutation === b.mutation
  );
}
