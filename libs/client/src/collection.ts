import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import { checked, type Knowledge } from './checking.ts';
import { DocumentState, type DocumentSync } from './document-state.ts';
import type { Observable } from './observable.ts';
import type { Replica } from './replica.ts';
import type { Shapes, Step } from './rules/migration.ts';
import type { Change } from './rules/mutation.ts';
import { jsonObject, patchOf, type Fields } from './fields-of.ts';
import { LiveQuery, type LiveRows } from './live-query.ts';
import type { Query, Row } from './rules/query.ts';
import type { InputOf, OutputOf, StandardSchema } from './standard-schema.ts';
import { rowOf, Table } from './table.ts';

/**
 * What a collection is on this device.
 *
 * @typeParam T its documents
 * @typeParam In what is given to be written: of a schema, its input
 */
export interface CollectionDefinition<T extends object, In extends object = T> {
  /**
   * Judges each document that an edit leaves, before it is stored: of Zod, Valibot, ArkType, or anything else with
   * https://standardschema.dev. Documents are JSON: dates are texts. What it does not know is kept.
   */
  readonly schema?: StandardSchema<In, T>;
  /**
   * The fields that this version of the app knows: `upsert` leaves all others alone. Needed without a schema, or with one that lets through
   * what it does not know.
   */
  readonly fields?: readonly (keyof T & string)[];
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
   * What makes a document of the version before one of this version: `{ 2: (doc) => ({ unit: 'pc', ...doc }) }`. It is given
   * whatever older and newer versions of the app have written, so it leaves alone what has its shape already; it changes nothing that it is given, and
   * depends on nothing else. Without a step documents stay as they are.
   */
  readonly migrate?: Readonly<Record<number, Step>>;
  /** Carries the types; never there. */
  readonly types?: (row: T, data: In) => void;
}

type Options<T extends object, In extends object> = Omit<CollectionDefinition<T, In>, 'types' | 'schema'>;

/** Declares a collection whose documents are of a type, `collection<Task>()`, or what a schema says: `collection({ schema })`. */
export function collection<S extends StandardSchema>(
  definition: { readonly schema: S } & Options<OutputOf<S>, InputOf<S>>,
): CollectionDefinition<OutputOf<S>, InputOf<S>>;
export function collection<T extends object>(definition?: Options<T, T>): CollectionDefinition<T>;
export function collection<T extends object>(
  definition: CollectionDefinition<T> = {},
): CollectionDefinition<T> {
  return definition;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a definition of any type
export type Definitions = Readonly<Record<string, CollectionDefinition<any, any>>>;

/** How the documents of collections are on this device. */
export function shapesOf(collections: Definitions): Shapes {
  return new Map(
    Object.entries(collections).map(([name, { version = 1, migrate = {} }]) => {
      const steps = Object.entries(migrate).map(([to, step]) => [Number(to), step] as const);
      return [name, { version, steps: steps.sort(([a], [b]) => a - b) }];
    }),
  );
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever is given to it
export type DocumentOf<D> = D extends CollectionDefinition<infer T, any> ? T : never;
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- of any documents
export type DataOf<D> = D extends CollectionDefinition<any, infer In> ? In : never;

/** What an edit became: its document, and the mutation to wait for with `client.settled`. */
export interface Edited {
  readonly id: DocId;
  /** Undefined: nothing is left of it, since it took back what was never sent. */
  readonly mutation: string | undefined;
}

export interface UpsertOptions {
  /** True: fields that this version of the app does not know go too. */
  readonly exact?: boolean;
}

/** How edits are made: at once, or in a transaction. */
export interface Writer<T extends object, In extends object = T> {
  /** @throws InvalidEditError `document_exists` if there is one with the given `_id`; what the schema refuses */
  create(data: In & { readonly _id?: DocId }): Promise<Edited>;
  /**
   * Changes fields and leaves all others alone, also those that this app does not know.
   *
   * @param fields if it is a function, it may be called again when others change the document meanwhile
   */
  patch(id: DocId, fields: Fields<In> | ((row: Row<T>) => Fields<In>)): Promise<Edited>;
  /**
   * Replaces the document, or creates it: fields that are not given go, except for those that this version of the app does not know by its
   * schema or its `fields`. Without either, all go.
   */
  upsert(id: DocId, data: In, options?: UpsertOptions): Promise<Edited>;
  delete(id: DocId): Promise<Edited>;
  get(id: DocId): Promise<Row<T> | undefined>;
}

/** What a collection does its work with. */
export interface CollectionPorts {
  readonly edit: (edit: RawEdit) => Promise<Edited>;
  readonly look: (collection: string, id: DocId) => Promise<JsonObject | null>;
  readonly newId: (collection: string) => DocId;
  readonly replicas: Observable<Replica | undefined>;
  /** @throws UsageError if there is none */
  readonly replica: () => Replica;
}

export interface RawEdit {
  readonly collection: string;
  readonly id: DocId;
  readonly kind: 'create' | 'upsert' | 'patch' | 'delete';
  readonly change: (seen: JsonObject | null) => Change;
  /** What is to be stored in place of a change; fails if the change may not be made. */
  readonly check?: ((seen: JsonObject | null, change: Change) => Promise<Change>) | undefined;
}

/** Edits of a collection, by whatever makes them. */
export class CollectionWriter<T extends object, In extends object = T> implements Writer<T, In> {
  constructor(
    protected readonly name: string,
    protected readonly ports: Pick<CollectionPorts, 'edit' | 'look' | 'newId'>,
    private readonly knows: Knowledge = {},
  ) {}

  async create(data: In & { readonly _id?: DocId }): Promise<Edited> {
    return this.edit(data._id ?? this.ports.newId(this.name), 'create', upsertOf(data));
  }

  async upsert(id: DocId, data: In, { exact = false }: UpsertOptions = {}): Promise<Edited> {
    return this.edit(id, 'upsert', upsertOf(data), !exact);
  }

  async patch(id: DocId, fields: Fields<In> | ((row: Row<T>) => Fields<In>)): Promise<Edited> {
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

  private async edit(
    id: DocId,
    kind: RawEdit['kind'],
    change: RawEdit['change'],
    keeps = false,
  ): Promise<Edited> {
    const { name: collection, knows } = this;
    const check: RawEdit['check'] =
      knows.schema || (knows.fields && keeps)
        ? (seen, made) => checked(knows, collection, id, seen, made, keeps)
        : undefined;
    return this.ports.edit({ collection, id, kind, change, check });
  }
}

function upsertOf(data: object): RawEdit['change'] {
  const whole = jsonObject(data);
  return () => ({ operation: 'upsert', data: whole });
}

/** The documents of a collection as the user sees them: what the server has, and on top what this device has done. */
export class Collection<T extends object, In extends object = T> extends CollectionWriter<T, In> {
  private readonly table: Table<T>;

  constructor(
    name: string,
    private readonly all: CollectionPorts,
    { indexes = [], schema, fields }: CollectionDefinition<T, In> = {},
  ) {
    super(name, all, { schema, fields });
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

  /** How a document stands, as it changes. */
  sync(id: DocId): Observable<DocumentSync> {
    return new DocumentState(this.all.replicas, this.name, id);
  }
}
