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
 * @param unitOf which changes stand or fall together: the same number for all of them. Default: none do
 */
export function foreseeDuplicates(
  writes: readonly PlannedWrite[],
  earlier: ReadonlyMap<string, readonly PlannedWrite[]>,
  indexes: readonly Occupancy[],
  unitOf: UnitOf = (change) => change,
): Foreseen[] {
  const touched = new Set(writes.map(({ key }) => key));
  const tables = indexes.map(({ keysOf, holders }) => ({ keysOf, held: heldAtFirst(holders, touched) }));
  const refused: Foreseen[] = [];
  let fallen: number | undefined;
  for (const write of writes) {
    const unit = unitOf(write.writer.change);
    const rivals = rivalsOf(write, tables);
    if (rivals.length === 0) {
      if (unit !== fallen) for (const table of tables) take(table, write);
      continue;
    }
    refused.push(foreseen(write, rivals));
    if (unit !== fallen) for (const { held } of tables) giveBack(held, unit, unitOf);
    fallen = unit;
    // Without its last change the document would be what the change before made of it, and so on.
    for (const step of [...(earlier.get(write.key) ?? [])].reverse()) {
      const before = rivalsOf(step, tables).filter((rival) => hadItBefore(rival, step));
      if (before.length === 0) break;
      refused.push(foreseen(step, before));
    }
  }
  return refused;
}

/** A number for each change that all have in common which stand or fall with it. */
export type UnitOf = (change: number) => number;

/** A change whose value is taken. */
export interface Foreseen extends Writer {
  /** The changes that took it first; undefined: it was taken before. */
  readonly rivals: readonly (number | undefined)[];
}

function foreseen({ writer }: PlannedWrite, rivals: readonly Holder[]): Foreseen {
  return { ...writer, rivals: rivals.map(({ since }) => since) };
}

/** What a unit has taken, when it falls. */
function giveBack(held: Map<string, Holder>, unit: number, unitOf: UnitOf): void {
  for (const [text, { since }] of held) if (since !== undefined && unitOf(since) === unit) held.delete(text);
}

/**
 * Those of the foreseen refusals that hold whatever becomes of the others: what they wanted was taken before, or by a
 * change that stands. The first of all does too. What else is refused is seen when the push is planned without these.
 *
 * @param documentsOf the documents that the changes of a unit are about: a unit that falls takes later ones of them along
 * @param units in their order
 */
export function certain(
  refused: readonly Foreseen[],
  unitOf: UnitOf,
  units: readonly number[],
  documentsOf: (unit: number) => readonly string[],
): Foreseen[] {
  const falling = new Set(refused.map(({ change }) => unitOf(change)));
  const documents = new Set<string>();
  for (const unit of units) {
    const own = documentsOf(unit);
    if (!falling.has(unit) && !own.some((key) => documents.has(key))) continue;
    falling.add(unit);
    for (const key of own) documents.add(key);
  }
  const first = refused.reduce((least, { change }) => Math.min(least, unitOf(change)), Infinity);
  return refused.filter(({ change, rivals }) => {
    const unit = unitOf(change);
    const isFirm = (rival: number | undefined): boolean =>
      rival === undefined || unitOf(rival) === unit || !falling.has(unitOf(rival));
    return unit === first || rivals.some(isFirm);
  });
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
