import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import type { Observable } from './observable.ts';
import type { Replica } from './replica.ts';
import type { Shapes, Step } from './rules/migration.ts';
import type { Change } from './rules/mutation.ts';
import { jsonObject, patchOf, type Fields } from './fields-of.ts';
import { LiveQuery, type LiveRows } from './live-query.ts';
import type { Query, Row } from './rules/query.ts';
import { rowOf, Table } from './table.ts';

/** What a collection is on this device. */
export interface CollectionDefinition<T extends object> {
  /** How ids of new documents are drawn: as the `_id` of the server's schema wants them. Default: `uuid`. */
  readonly ids?: 'uuid' | 'objectid';
  /** False: each edit is sent on its own, because its history matters. Default: true. */
  readonly coalesce?: boolean;
  /**
   * Fields by which queries find and order, one or several in their order: `['done', ['listId', 'createdAt']]`. An index is made in memory
   * with the first query that it serves; all other queries look through the collection.
   */
  readonly indexes?: readonly ((keyof T & string) | readonly (keyof T & string)[])[];
  /** Of the shape of its documents on this device. Default: 1. A higher one comes with `migrate`. */
  readonly version?: number;
  /**
   * What makes a document of the version before one of this version: `{ 2: (doc) => ({ ...doc, unit: doc.unit ?? 'pc' }) }`. It is given
   * whatever older and newer versions of the app have written, so it leaves alone what has its shape already; it changes nothing that it is given, and
   * depends on nothing else. Without a step documents stay as they are.
   */
  readonly migrate?: Readonly<Record<number, Step>>;
  /** Carries the type; never there. */
  readonly type?: (row: T) => void;
}

/** Declares a collection whose documents are of a type: `collection<Task>()`. */
export function collection<T extends object>(
  definition: Omit<CollectionDefinition<T>, 'type'> = {},
): CollectionDefinition<T> {
  return definition;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a definition of any type
export type Definitions = Readonly<Record<string, CollectionDefinition<any>>>;

/** How the documents of collections are on this device. */
export function shapesOf(collections: Definitions): Shapes {
  return new Map(
    Object.entries(collections).map(([name, { version = 1, migrate = {} }]) => {
      const steps = Object.entries(migrate).map(([to, step]) => [Number(to), step] as const);
      return [name, { version, steps: steps.sort(([a], [b]) => a - b) }];
    }),
  );
}

export type DocumentOf<D> = D extends CollectionDefinition<infer T> ? T : never;

/** What an edit became: its document, and the mutation to wait for with `client.settled`. */
export interface Edited {
  readonly id: DocId;
  /** Undefined: nothing is left of it, since it took back what was never sent. */
  readonly mutation: string | undefined;
}

/** How edits are made: at once, or in a transaction. */
export interface Writer<T extends object> {
  /** @throws InvalidEditError `document_exists` if there is one with the given `_id` */
  create(data: T & { readonly _id?: DocId }): Promise<Edited>;
  /** Changes fields and leaves all others alone, also those that this app does not know. */
  patch(id: DocId, fields: Fields<T> | ((row: Row<T>) => Fields<T>)): Promise<Edited>;
  /** Replaces the whole document, or creates it: fields that are not given go. */
  upsert(id: DocId, data: T): Promise<Edited>;
  delete(id: DocId): Promise<Edited>;
  get(id: DocId): Promise<Row<T> | undefined>;
}

/** The sync of one document. */
export interface DocumentSync {
  /** Edits that the server has not answered. */
  readonly pending: number;
}

/** What a collection does its work with. */
export interface CollectionPorts {
  readonly edit: (edit: RawEdit) => Promise<Edited>;
  readonly look: (collection: string, id: DocId) => Promise<JsonObject | null>;
  readonly newId: (collection: string) => DocId;
  readonly replicas: Observable<Replica | undefined>;
  /** @throws UsageError if there is none */
  readonly replica: () => Replica;
  readonly pending: (collection: string, id: DocId) => number;
}

export interface RawEdit {
  readonly collection: string;
  readonly id: DocId;
  readonly kind: 'create' | 'upsert' | 'patch' | 'delete';
  readonly change: (seen: JsonObject | null) => Change;
}

/** Edits of a collection, by whatever makes them. */
export class CollectionWriter<T extends object> implements Writer<T> {
  constructor(
    protected readonly name: string,
    protected readonly ports: Pick<CollectionPorts, 'edit' | 'look' | 'newId'>,
  ) {}

  async create(data: T & { readonly _id?: DocId }): Promise<Edited> {
    return this.edit(data._id ?? this.ports.newId(this.name), 'create', upsertOf(data));
  }

  async upsert(id: DocId, data: T): Promise<Edited> {
    return this.edit(id, 'upsert', upsertOf(data));
  }

  async patch(id: DocId, fields: Fields<T> | ((row: Row<T>) => Fields<T>)): Promise<Edited> {
    if (typeof fields !== 'function') {
      const change = patchOf(fields);
      return this.edit(id, 'patch', () => change);
    }
    return this.edit(id, 'patch', (seen) => patchOf(fields(rowOf<T>(id, seen ?? {}))));
  }

  async delete(id: DocId): Promise<Edited> {
    return this.edit(id, 'delete', () => ({ operation: 'delete' }));
  }

  async get(id: DocId): Promise<Row<T> | undefined> {
    const data = await this.ports.look(this.name, id);
    return data ? rowOf<T>(id, data) : undefined;
  }

  private async edit(id: DocId, kind: RawEdit['kind'], change: RawEdit['change']): Promise<Edited> {
    return this.ports.edit({ collection: this.name, id, kind, change });
  }
}

function upsertOf(data: object): RawEdit['change'] {
  const whole = jsonObject(data);
  return () => ({ operation: 'upsert', data: whole });
}

/** The documents of a collection as the user sees them: what the server has, and on top what this device has done. */
export class Collection<T extends object> extends CollectionWriter<T> {
  private readonly table: Table<T>;

  constructor(
    name: string,
    private readonly all: CollectionPorts,
    { indexes = [] }: CollectionDefinition<T> = {},
  ) {
    super(name, all);
    const declared = indexes.map((each) => (typeof each === 'string' ? [each] : each));
    this.table = new Table<T>(all.replicas, name, declared);
  }

  async find(query: Query<T> = {}): Promise<Row<T>[]> {
    return this.table.find(this.all.replica(), query);
  }

  /** The rows of a query, as they change. */
  live(query: Query<T> = {}): Observable<LiveRows<T>> {
    return new LiveQuery<T>(this.table, query);
  }

  sync(id: DocId): DocumentSync {
    return { pending: this.all.pending(this.name, id) };
  }
}
