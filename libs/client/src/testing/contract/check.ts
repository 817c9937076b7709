import type { BaseRow, BaseStore, Database, StoreName, Stores } from '../../storage.ts';

/** What a storage did not keep of its contract. */
export class ContractError extends Error {
  override readonly name = 'ContractError';
}

/** @param what the claim, said as a sentence when it fails */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const [is, should] = [canonical(actual), canonical(expected)];
  if (is !== should)
    throw new ContractError(`${what}: expected ${shortened(should)}, and there is ${shortened(is)}`);
}

/** @param wanted a code of ours, or a part of the message */
export async function rejects(work: Promise<unknown>, wanted: string, what: string): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason as { readonly code?: string; readonly message?: string },
  );
  if (error === undefined) throw new ContractError(`${what}: it has to reject (${wanted}), and it resolved`);
  const { code = 'an error', message = '' } = error;
  if (code !== wanted && !message.includes(wanted))
    throw new ContractError(`${what}: it has to reject with ${wanted}, not with ${code}: ${message}`);
}

/** The fields of rows in any order; those of `data` as they come. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (part === undefined) return '(undefined)';
    if (!isRow(part)) return part;
    const { id, version, data, generation, ...rest } = part;
    return { id, version, generation, data, ...rest };
  });
}

function isRow(value: unknown): value is BaseRow {
  return typeof value === 'object' && value !== null && 'generation' in value && 'version' in value;
}

function shortened(text: string): string {
  return text.length > 600 ? `${text.slice(0, 400)} … ${text.slice(-180)}` : text;
}

export function row(id: string | number, version = '1', data: BaseRow['data'] = {}): BaseRow {
  return { id, version, data, generation: 1 };
}

/** `row-00042`: in the order of their numbers. */
export function idOf(n: number): string {
  return `row-${String(n).padStart(5, '0')}`;
}

export function rows(from: number, to: number, version = '1'): BaseRow[] {
  return Array.from({ length: to - from }, (_, at) => row(idOf(from + at), version, { n: from + at }));
}

export const ALL: readonly StoreName[] = ['base', 'view', 'outbox', 'rejected', 'meta'];

export function write<T>(database: Database, body: (stores: Stores) => Promise<T>): Promise<T> {
  return database.transaction('write', ALL, body);
}

export function read<T>(database: Database, body: (stores: Stores) => Promise<T>): Promise<T> {
  return database.transaction('read', ALL, body);
}

export async function walked(base: BaseStore, collection: string): Promise<BaseRow[]> {
  const found: BaseRow[] = [];
  await base.walk(collection, (some) => found.push(...some));
  return found;
}

/** Everything that a database holds of these collections. */
export function contents(database: Database, collections: readonly string[] = ['tasks']): Promise<object> {
  return read(database, async ({ base, view, outbox, rejected, meta }) => ({
    base: await inTurn(collections, (name) => base.scan(name)),
    view: await inTurn(collections, (name) => view.scan(name)),
    outbox: await outbox.range(),
    rejected: await rejected.range(),
    meta: await meta.range(),
  }));
}

async function inTurn<T>(names: readonly string[], look: (name: string) => Promise<T>): Promise<T[]> {
  const found: T[] = [];
  for (const name of names) found.push(await look(name));
  return found;
}

/** Chance that a seed repeats (mulberry32): below 1, as Math.random. */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** An order that strings may have: by UTF-16 code units, or by code points. */
export type StringOrder = (a: string, b: string) => number;

/** The order of this storage, found by two strings in which the two orders differ. */
export async function orderOf(database: Database): Promise<StringOrder> {
  const names = await write(database, async ({ rejected }) => {
    await rejected.put('\uffff', {});
    await rejected.put('\u{10000}', {});
    const found = await rejected.range();
    await rejected.clear();
    return found.map(([name]) => name);
  });
  return names[0] === '\uffff' ? byCodePoints : byCodeUnits;
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byCodePoints(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const difference = (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Numbers before strings, numbers by size. */
export function compareIds(order: StringOrder, a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return order(a, b);
  return typeof a === 'number' ? -1 : 1;
}
