import type {
  BaseRow,
  BaseStore,
  DocumentStore,
  KeyedStore,
  RangeOptions,
  ScanOptions,
  StoreName,
  Stores,
} from '../storage.ts';
import type { SqliteValues } from './connection.ts';
import { storageError } from './failure.ts';
import type { SqliteFile } from './file.ts';
import { safeText } from './text.ts';

type Id = string | number;

/** Rows of a statement: powers of two, so that there are few statements. */
const MOST_ROWS = 128;
/** Rows that are looked at without a pause. */
const WALK = 1_000;

/** A transaction: what its body may do, and whether all of that worked. */
export class Scope {
  isOver = false;
  private failure: Error | undefined;
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly file: SqliteFile,
    private readonly table: string,
    private readonly writes: boolean,
  ) {}

  stores<S extends StoreName>(names: readonly S[]): Pick<Stores, S> {
    const all: { readonly [N in StoreName]: () => Stores[N] } = {
      base: () => this.base(),
      view: () => this.view(),
      outbox: () => this.keyed('outbox'),
      rejected: () => this.keyed('rejected'),
      meta: () => this.keyed('meta'),
    };
    return Object.fromEntries(names.map((name) => [name, all[name]()])) as Pick<Stores, S>;
  }

  /** Rejects if an operation failed, whether or not the body has noticed. */
  async end(): Promise<void> {
    await this.last;
    this.isOver = true;
    if (this.failure) throw this.failure;
  }

  private base(): BaseStore {
    return {
      get: (collection, ids) =>
        this.operate(async () => {
          const place = placeOf('base', collection);
          const found = new Map<Id, BaseRow>();
          for (const some of parts([...new Set(ids)]))
            for (const row of await this.select<BaseRow>(`place = ? AND id IN (${marks(some)})`, [
              place,
              ...some.map(safeId),
            ]))
              found.set(row.id, row);
          return ids.map((id) => found.get(id));
        }),
      put: (collection, rows) =>
        this.write(() =>
          this.put(
            placeOf('base', collection),
            rows.map((row) => [row.id, row]),
          ),
        ),
      delete: (collection, ids) => this.write(() => this.remove(placeOf('base', collection), ids)),
      scan: (collection, options) => this.scan('base', collection, options),
      walk: async (collection, visit) => {
        for (let after: Id | undefined, isOver = false; !isOver;) {
          const from = after === undefined ? {} : { after };
          const rows = await this.scan<BaseRow>('base', collection, { ...from, limit: WALK });
          visit(rows);
          after = rows.at(-1)?.id;
          isOver = rows.length < WALK;
        }
      },
      clear: (collection) => this.clear('base', collection),
    };
  }

  /** A record holds its key too. */
  private view(): DocumentStore {
    return {
      get: (collection, id) => this.value(placeOf('view', collection), id),
      put: (collection, id, row) =>
        this.write(() => this.put(placeOf('view', collection), [[id, [id, row]]])),
      delete: (collection, id) => this.write(() => this.remove(placeOf('view', collection), [id])),
      scan: (collection, options) => this.scan('view', collection, options),
      clear: (collection) => this.clear('view', collection),
    };
  }

  private keyed<Key extends Id>(store: StoreName): KeyedStore<Key> {
    const place = placeOf(store, '');
    return {
      get: (key) => this.value(place, key),
      put: (key, value) => this.write(() => this.put(place, [[key, [key, value]]])),
      delete: (key) => this.write(() => this.remove(place, [key])),
      range: ({ from, to, limit, reverse = false }: RangeOptions<Key> = {}) => {
        const where = [
          'place = ?',
          ...(from === undefined ? [] : ['id >= ?']),
          ...(to === undefined ? [] : ['id <= ?']),
        ];
        const ends = [from, to].filter((end) => end !== undefined).map(safeId);
        const sql = `${where.join(' AND ')} ORDER BY id ${reverse ? 'DESC' : 'ASC'} LIMIT ?`;
        return this.operate(() => this.select<[Key, object]>(sql, [place, ...ends, limit ?? -1]));
      },
      clear: () => this.clear(store, ''),
    };
  }

  private value(place: string, id: Id): Promise<object | undefined> {
    return this.operate(async () => {
      const [pair] = await this.select<[Id, object]>('place = ? AND id = ?', [place, safeId(id)]);
      return pair?.[1];
    });
  }

  private scan<Row>(
    store: StoreName,
    collection: string,
    { after, limit = -1 }: ScanOptions = {},
  ): Promise<Row[]> {
    const [behind, from] = after === undefined ? ['', []] : [' AND id > ?', [safeId(after)]];
    const values = [placeOf(store, collection), ...from, limit];
    return this.operate(() => this.select<Row>(`place = ?${behind} ORDER BY id LIMIT ?`, values));
  }

  private clear(store: StoreName, collection: string | undefined): Promise<void> {
    return this.write(() =>
      collection === undefined
        ? this.file.run(`DELETE FROM ${this.table} WHERE place >= ? AND place < ?`, [
            `${store}/`,
            `${store}0`,
          ])
        : this.file.run(`DELETE FROM ${this.table} WHERE place = ?`, [placeOf(store, collection)]),
    );
  }

  private async put(place: string, records: readonly (readonly [id: Id, value: object])[]): Promise<void> {
    for (const some of parts(records))
      await this.file.run(
        `INSERT INTO ${this.table} (place, id, value) VALUES ${some.map(() => '(?, ?, ?)').join(', ')}
         ON CONFLICT (place, id) DO UPDATE SET value = excluded.value`,
        some.flatMap(([id, value]) => [place, safeId(id), JSON.stringify(value)]),
      );
  }

  private async remove(place: string, ids: readonly Id[]): Promise<void> {
    for (const some of parts(ids))
      await this.file.run(`DELETE FROM ${this.table} WHERE place = ? AND id IN (${marks(some)})`, [
        place,
        ...some.map(safeId),
      ]);
  }

  private async select<Value>(where: string, values: SqliteValues): Promise<Value[]> {
    const rows = await this.file.all(`SELECT value FROM ${this.table} WHERE ${where}`, values);
    return rows.map(({ value }) => JSON.parse(String(value)) as Value);
  }

  private write(work: () => Promise<void>): Promise<void> {
    return this.operate(work, true);
  }

  /** In the order of the calls. Nothing is done after a failure: SQLite may have ended the transaction. */
  private operate<T>(work: () => Promise<T>, writes = false): Promise<T> {
    const run = this.last.then(async () => {
      if (this.isOver)
        throw new Error(
          'The transaction is over: await its operations, and nothing else, inside of the body.',
        );
      if (writes && !this.writes)
        this.failure ??= new Error(
          'A transaction that reads may not write: begin it with "write" or "durable".',
        );
      if (this.failure) throw this.failure;
      try {
        return await work();
      } catch (error) {
        this.failure = storageError(error);
        throw this.failure;
      }
    });
    this.last = run.catch(() => undefined);
    return run;
  }
}

/** The text of a collection may hold any character but NUL, and `0` is the one behind `/`. */
function placeOf(store: StoreName, collection: string): string {
  return `${store}/${safeText(collection)}`;
}

function safeId(id: Id): Id {
  return typeof id === 'string' ? safeText(id) : id;
}

function marks(ids: readonly unknown[]): string {
  return ids.map(() => '?').join(', ');
}

/** In order, each as long as a power of two. */
function* parts<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length;) {
    let size = MOST_ROWS;
    while (size > items.length - at) size /= 2;
    yield items.slice(at, at + size);
    at += size;
  }
}
