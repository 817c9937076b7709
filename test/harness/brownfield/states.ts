import { createHash } from 'node:crypto';
import type { mongo } from 'mongoose';
import { canonical } from '../../../libs/conformance/src/wire/digest';
import { digestOf, type DigestPart } from '../devices/server-state';
import { COLLECTION } from './customers';

/** A document as a device is told of it. */
export interface Row {
  readonly id: string;
  readonly data: object;
}

/** Documents as text, by id. */
export type State = ReadonlyMap<string, string>;

/** What three places say of one scope. */
export interface ScopeStates {
  /** Undefined: the log does not go back to the beginning. */
  readonly log: State | undefined;
  readonly full: State;
  readonly stored: State;
  /** What is wrong in one place alone: gaps, doubles, digests. */
  readonly faults: readonly string[];
}

interface Entry {
  readonly seq: number;
  readonly version: string;
  readonly doc_id: string;
  readonly operation: 'upsert' | 'delete';
  readonly data: object | null;
}

export interface Reading {
  readonly url: string;
  /** Of somebody who works in a scope. */
  readonly token: (scope: string) => string;
  readonly stored: mongo.Collection<Record<string, unknown>>;
}

export async function statesOf(reading: Reading, scope: string): Promise<ScopeStates> {
  const log = await logOf(reading, scope);
  const full = await fullOf(reading, scope);
  const rows = await reading.stored.find({ _sync_scope_id: scope, _sync_deleted: { $ne: true } }).toArray();
  const stored = stateOf(rows.map(wireRow));
  const digest = JSON.parse(await text(reading, scope, 'digest')) as {
    collections: { collection: string; live: DigestPart }[];
  };
  const told = digest.collections.find(({ collection }) => collection === COLLECTION)?.live;
  const own = digestOf(
    COLLECTION,
    rows.map((row) => ({
      ...{ collection: COLLECTION, id: String(row['_id']), data: {} },
      version: String(row['_sync_version']),
    })),
  );
  const faults = [...log.faults];
  if (told && (told.count !== own.count || told.hash !== own.hash))
    faults.push(`the digest is ${told.count} ${told.hash}, and of the collection ${own.count} ${own.hash}`);
  return { log: log.state, full, stored, faults };
}

/** A stored document as the wire has it, by no code of the engine. */
function wireRow({ _id, ...stored }: Record<string, unknown>): Row {
  const fields = Object.entries(stored).filter(([key]) => !key.startsWith('_sync_') && key !== '__v');
  return { id: String(_id), data: JSON.parse(JSON.stringify(Object.fromEntries(fields))) as object };
}

export function stateOf(rows: Iterable<Row>): Map<string, string> {
  return new Map([...rows].map(({ id, data }) => [id, canonical(data)]));
}

/** The same for states that are equal. */
export function hashOfState(state: State): string {
  const hash = createHash('sha256');
  for (const [id, data] of [...state].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${id} ${data}\n`);
  return hash.digest('base64url');
}

/** Where two states differ, a line for each of the first documents. */
export function differences(name: string, a: State, other: string, b: State): string[] {
  const ids = [...new Set([...a.keys(), ...b.keys()])].filter((id) => a.get(id) !== b.get(id));
  const some = ids
    .slice(0, 5)
    .map((id) => `${id}: ${name} ${a.get(id) ?? 'has none'}, ${other} ${b.get(id) ?? 'has none'}`);
  return ids.length > 5 ? [...some, `${ids.length - 5} more differ between ${name} and ${other}`] : some;
}

/** Folds entries; each comes once, in order, and says something new of its document. */
export function fold(entries: readonly Entry[]): { state: State; faults: string[] } {
  const state = new Map<string, string>();
  const faults: string[] = [];
  let last: Entry | undefined;
  for (const entry of entries) {
    const { doc_id: id, operation, data, seq, version } = entry;
    if (last && (seq !== last.seq + 1 || version <= last.version))
      faults.push(`entry ${seq} (${version}) follows ${last.seq} (${last.version})`);
    last = entry;
    const text_ = operation === 'delete' ? undefined : canonical(data);
    if (text_ === state.get(id)) faults.push(`entry ${seq} says of ${id} what was said before`);
    if (text_ === undefined) state.delete(id);
    else state.set(id, text_);
  }
  return { state, faults };
}

async function logOf(
  reading: Reading,
  scope: string,
): Promise<{ state: State | undefined; faults: string[] }> {
  const entries: Entry[] = [];
  for (let since = ''; ;) {
    const page = JSON.parse(await text(reading, scope, `pull?limit=1000${since}`)) as {
      changes?: Entry[];
      last_seq: string;
      has_more: boolean;
    };
    if (!page.changes) return { state: undefined, faults: [] };
    entries.push(...page.changes);
    if (!page.has_more) return fold(entries);
    since = `&since=${encodeURIComponent(page.last_seq)}`;
  }
}

async function fullOf(reading: Reading, scope: string): Promise<State> {
  const rows: Row[] = [];
  for (const line of (await text(reading, scope, 'full?limit=0')).split('\n')) {
    if (line === '') continue;
    const row = JSON.parse(line) as { doc_id?: string; deleted?: boolean; data: object };
    if (row.doc_id !== undefined && row.deleted === false) rows.push({ id: row.doc_id, data: row.data });
  }
  return stateOf(rows);
}

async function text({ url, token }: Reading, scope: string, path: string): Promise<string> {
  const answer = await fetch(`${url}/sync/${path}`, { headers: { authorization: `Bearer ${token(scope)}` } });
  const body = await answer.text();
  if (answer.status !== 200) throw new Error(`GET ${path}: ${String(answer.status)} ${body.slice(0, 300)}`);
  return body;
}
