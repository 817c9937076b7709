import { canonical } from '../../../libs/conformance/src/wire/digest';
import { stock } from './edits';
import type { Held, HeldDatabase, HeldRow, User } from './events';
import type { Journal } from './journal';
import { digestOf, keyOf, type ServerState } from './server-state';

/** Whose text a marker says it is, which edit it was, and how much it adds. `$`: in a transaction with the stock. */
const MARKER = /~([\w:-]+)~([\w.-]+?)([+$])(\d+)/g;

/** The scope that a database is of. */
export function scopeOf({ key }: HeldDatabase): string | undefined {
  if (key === null) return undefined;
  const [, business, , scope] = JSON.parse(key) as (string | null)[];
  return scope ?? business ?? undefined;
}

/** Nothing of one scope is in a database of another, be it open or left behind (C8). */
export function judgeIsolation(device: string, { databases }: Held): string[] {
  return databases.flatMap((database) => {
    const scope = scopeOf(database);
    const strange = [...database.text.matchAll(MARKER)].find(([, of]) => of !== scope);
    return strange ? [`${device} has ${strange[0]} in a database of ${scope ?? 'nobody'}`] : [];
  });
}

/** At rest a device has what the server has, and nothing to send (C4, C13). */
export function judgeEqual(device: string, database: HeldDatabase, server: ServerState): string[] {
  const scope = scopeOf(database) ?? '';
  const said = (what: string): string => `${device}, ${scope}: ${what}`;
  const found: string[] = [];
  const open = database.outbox.filter(({ state }) => state !== 'answered');
  if (open.length > 0) found.push(said(`${open.length} mutations were not answered`));
  if (database.cursor !== server.lastSeq)
    found.push(said(`its cursor is ${database.cursor ?? 'none'}, and the log ends at ${server.lastSeq}`));
  const mine = new Map(database.base.map((row) => [keyOf(row.collection, row.id), row]));
  for (const [key, row] of server.rows) {
    const own = mine.get(key);
    if (row.data === null && !own?.data) continue;
    if (own?.version !== row.version || canonical(own.data) !== canonical(row.data))
      found.push(said(`${key} is ${text(own)}, and ${text(row)} on the server`));
  }
  for (const [key, row] of mine)
    if (row.data && !server.rows.get(key)?.data) found.push(said(`${key} is there, and not on the server`));
  for (const [collection, part] of server.digests) {
    const own = digestOf(collection, database.base);
    if (own.count !== part.count || own.hash !== part.hash)
      found.push(
        said(`the digest of ${collection} is ${own.count} ${own.hash}, not ${part.count} ${part.hash}`),
      );
  }
  return found;
}

/** No row is older than it was when it was looked at before. */
export function judgeForward(device: string, before: HeldDatabase | undefined, now: HeldDatabase): string[] {
  const rows = new Map(now.base.map((row) => [keyOf(row.collection, row.id), row]));
  return (before?.base ?? []).flatMap((row) => {
    const later = rows.get(keyOf(row.collection, row.id));
    return later && (later.version ?? '') < (row.version ?? '')
      ? [
          `${device}: ${keyOf(row.collection, row.id)} went from ${row.version ?? ''} back to ${later.version ?? ''}`,
        ]
      : [];
  });
}

/** Each kept edit that counts is there once, and nothing else (C1, C2, C7). */
export function judgeCounters(
  scope: string,
  round: number,
  { rows }: ServerState,
  journal: Journal,
): string[] {
  const found: string[] = [];
  const there = new Set<string>();
  for (const row of rows.values()) {
    if (row.collection !== 'notes' || !String(row.id).startsWith(`count-${round}-`)) continue;
    const { n = 0, marks = [] } = row.data as { n?: number; marks?: string[] };
    const sum = marks.reduce((total, mark) => total + weightOf(mark), 0);
    if (sum !== n) found.push(`${scope} ${row.id} counts ${n}, and its marks make ${sum}`);
    for (const mark of marks) {
      there.add(mark);
      if (!journal.begun.has(mark)) found.push(`${scope} ${row.id} has ${mark}, which nobody made`);
    }
  }
  for (const { marker, kind, mutations, device } of journal.kept.values()) {
    if ((kind !== 'count' && kind !== 'sell') || !marker.startsWith(`~${scope}~r${round}.`)) continue;
    if (!there.has(marker) && !mutations.every((id) => journal.givenUp.has(id)))
      found.push(`${device}: ${marker} (${kind}) was kept and is not on the server`);
  }
  return found;
}

/** What is sold in transactions is out of stock. */
export function judgeStock({ business }: User, { rows }: ServerState): string[] {
  let sold = 0;
  for (const row of rows.values())
    for (const mark of (row.data as { marks?: string[] } | null)?.marks ?? [])
      if (mark.includes('$')) sold += weightOf(mark);
  const item = rows.get(keyOf('inventory_items', stock(business)))?.data as { quantity: number } | undefined;
  return item?.quantity === sold
    ? []
    : [`${business}: the stock is ${item?.quantity ?? 'gone'}, and ${sold} were counted`];
}

export interface Ledger {
  readonly lost: readonly string[];
  /** Mutations of which nothing tells what became of them, because their device died before it could tell. */
  readonly unclear: number;
}

/** Each mutation that a promise has resolved for was disposed of, or the user has decided about it (C3). */
export function judgeLedger(
  journal: Journal,
  held: ReadonlyMap<string, Held>,
  logged: readonly ReadonlySet<string>[],
  hasDied: (marker: string) => boolean,
): Ledger {
  const there = new Set<string>();
  for (const { databases } of held.values())
    for (const { outbox, refused } of databases) {
      for (const { id } of outbox) there.add(id);
      for (const id of refused) there.add(id);
    }
  const lost: string[] = [];
  let unclear = 0;
  for (const { marker, kind, mutations, device } of journal.kept.values())
    for (const id of mutations) {
      if (journal.settled.has(id) || journal.givenUp.has(id) || there.has(id)) continue;
      if (logged.some((log) => log.has(id))) continue;
      if (hasDied(marker)) unclear += 1;
      else lost.push(`${device}: nothing tells what became of ${id} (${kind}, ${marker})`);
    }
  return { lost, unclear };
}

export function weightOf(mark: string): number {
  return Number(/[+$](\d+)$/.exec(mark)?.[1] ?? 0);
}

function text(row: HeldRow | undefined): string {
  return row ? `${canonical(row.data)} at ${row.version ?? 'none'}` : 'missing';
}
