import { note, NOTES, type Note } from './notes';
import { seeded, seedFor, uuid } from './random';
import { stamp } from './stamps';

/** One document and its entry in a log that was filled and not pushed. */
export interface FilledRow {
  readonly seq: number;
  readonly version: string;
  readonly id: string;
  readonly data: Note;
}

/** Different texts in a filled log: enough that nothing is the same from one row to the next. */
const NOTE_POOL = 997;
const AN_HOUR_MS = 3_600_000;

/** A scope's log, made row by row: a million of them are never in memory at once. The same for all variants. */
export class FilledLog {
  private readonly seed: number;

  /** @param startMs when its first entry was written; before everything that a server writes later */
  constructor(
    readonly scope: string,
    readonly count: number,
    seed: number,
    private readonly startMs = Date.now() - AN_HOUR_MS,
  ) {
    this.seed = seedFor(seed, scope);
  }

  version(seq: number): string {
    return stamp(this.startMs, seq);
  }

  get head(): string {
    return this.version(this.count);
  }

  *rows(): Generator<FilledRow, undefined, undefined> {
    const random = seeded(this.seed);
    const notes = Array.from({ length: Math.min(NOTE_POOL, this.count) }, () => note(random));
    for (let seq = 1; seq <= this.count; seq += 1)
      yield {
        seq,
        version: this.version(seq),
        id: uuid(random),
        data: notes[seq % notes.length] as Note,
      };
  }

  /** The ids, in the order of a walk over the collection. */
  sortedIds(): string[] {
    return Array.from(this.rows(), ({ id }) => id).sort();
  }
}

/** The text that readers of a log get. */
export function wireOf({ version, seq, id, data }: FilledRow): string {
  return JSON.stringify({
    version,
    seq,
    collection: NOTES,
    doc_id: id,
    operation: 'upsert',
    data,
    parent_version: null,
  });
}
