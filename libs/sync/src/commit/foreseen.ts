import type { StoredDocument } from '../codec/stored-document';
import type { PlannedWrite, Writer } from '../plan/plan';

/** What one unique index holds, and would hold of documents that are not stored yet. */
export interface Occupancy {
  /** Of a document as it would be written; none when the index would not hold it, or nobody can tell. */
  readonly keysOf: (document: StoredDocument) => readonly string[];
  /** Who holds a key now: the {@link PlannedWrite.key} of a stored document. */
  readonly holders: ReadonlyMap<string, string>;
}

/** Who has a key while the writes are gone through. */
interface Holder {
  readonly key: string;
  /** The change that gave it to it; undefined: it had it before, and no write of the plan touches it. */
  readonly since: number | undefined;
  readonly isTouched: boolean;
}

/**
 * Which of a push's writes to one collection its unique indexes will refuse: a value is taken by a document that is
 * stored, or by an earlier write that was not refused itself; and it is free again once its holder has given it up.
 *
 * The answer is right if all other writes succeed: what is written in the end is judged by the database itself.
 *
 * @param writes of one request and collection, in the order in which they are written
 * @param earlier what earlier changes of the request made of the same documents, by key, oldest first
 */
export function foreseeDuplicates(
  writes: readonly PlannedWrite[],
  earlier: ReadonlyMap<string, readonly PlannedWrite[]>,
  indexes: readonly Occupancy[],
): Writer[] {
  const touched = new Set(writes.map(({ key }) => key));
  const tables = indexes.map(({ keysOf, holders }) => ({ keysOf, held: heldAtFirst(holders, touched) }));
  const refused: Writer[] = [];
  for (const write of writes) {
    const rivals = rivalsOf(write, tables);
    if (rivals.length === 0) {
      for (const table of tables) take(table, write);
      continue;
    }
    refused.push(write.writer);
    // Without its last change the document would be what the change before made of it, and so on.
    for (const step of [...(earlier.get(write.key) ?? [])].reverse()) {
      if (!rivalsOf(step, tables).some((rival) => hadItBefore(rival, step))) break;
      refused.push(step.writer);
    }
  }
  return refused;
}

interface Table {
  readonly keysOf: Occupancy['keysOf'];
  readonly held: Map<string, Holder>;
}

function heldAtFirst(holders: Occupancy['holders'], touched: ReadonlySet<string>): Map<string, Holder> {
  const held = new Map<string, Holder>();
  for (const [text, key] of holders) held.set(text, { key, since: undefined, isTouched: touched.has(key) });
  return held;
}

function rivalsOf({ key, document }: PlannedWrite, tables: readonly Table[]): Holder[] {
  return tables.flatMap(({ keysOf, held }) =>
    keysOf(document)
      .map((text) => held.get(text))
      .filter((holder) => holder !== undefined && holder.key !== key),
  ) as Holder[];
}

/** Of a document that the push itself writes it is known only what it has from then on. */
function hadItBefore({ since, isTouched }: Holder, { writer }: PlannedWrite): boolean {
  return since === undefined ? !isTouched : since < writer.change;
}

function take({ keysOf, held }: Table, { key, document, writer }: PlannedWrite): void {
  for (const [text, holder] of held) if (holder.key === key) held.delete(text);
  for (const text of keysOf(document)) held.set(text, { key, since: writer.change, isTouched: true });
}
