import type { mongo } from 'mongoose';
import { isOurs, markOurs } from './engine-handles';

/** The function by which a call has come in. */
export type Entry = (...given: never[]) => unknown;

/** A call that writes, before the driver has done anything. */
export interface DriverCall {
  readonly client: mongo.MongoClient;
  /** The collection that it writes to. */
  readonly collection: string;
  /** `updateOne`, say. */
  readonly method: string;
  readonly args: readonly unknown[];
  readonly entry: Entry;
  /** To read the collection as the caller does, and unheard; undefined: the caller has none. */
  readonly handle: mongo.Collection | undefined;
  /** Leaves it to the driver, with these arguments in place of its own. */
  proceed(args?: readonly unknown[]): unknown;
}

/** Who hears the writes to some collections of a database. */
export interface Listener {
  readonly client: mongo.MongoClient;
  readonly database: string;
  isAbout(collection: string): boolean;
  /** In place of the driver: gives or throws what the caller gets. */
  hear(call: DriverCall): unknown;
}

const listeners = new Set<Listener>();
/** Those on the same servers, by client. Forgotten when a listener comes or goes. */
let near = new WeakMap<mongo.MongoClient, readonly Listener[]>();

/**
 * From now on the listener hears all calls of this process that write to its collections, by whatever path they come to the
 * driver: models that were compiled before or after, `Model.collection`, `connection.db`, another connection to the same
 * servers. The driver's own classes are what all of them have in common; their methods cost nothing measurable more. Not
 * heard: another copy of the driver, and what is marked with {@link markOurs}.
 *
 * @returns ends it
 */
export function listen(listener: Listener): () => void {
  const { client, database } = listener;
  const db = client.db(database);
  const [collections, databases, clients] = [db.collection('_'), db, client].map(prototypeOf) as Prototypes;
  patchOnce(collections, WRITES, collectionCall);
  patchOnce(collections, ['aggregate'], aggregation);
  patchOnce(databases, ['aggregate'], aggregation);
  patchOnce(databases, ['command'], command);
  patchOnce(clients, ['bulkWrite'], clientBulk);
  const change = (how: 'add' | 'delete'): void => {
    listeners[how](listener);
    near = new WeakMap();
  };
  change('add');
  return () => {
    change('delete');
  };
}

/** Methods of a collection that write its documents, and how many arguments stand before their options. */
export const WRITES = [
  ...['insertOne', 'insertMany', 'bulkWrite', 'updateOne', 'updateMany', 'replaceOne', 'deleteOne'],
  ...['deleteMany', 'findOneAndUpdate', 'findOneAndReplace', 'findOneAndDelete'],
  ...['initializeOrderedBulkOp', 'initializeUnorderedBulkOp'],
];
const WRITE_COMMANDS = ['insert', 'update', 'delete', 'findAndModify', 'findandmodify'];

export type Method = (this: object, ...args: unknown[]) => unknown;
export type Patch = (method: string, original: Method) => Method;
type Prototypes = [object, object, object];
const PATCHED = Symbol('nest-offline-sync:patched');

/** Puts a method in the place of others, once for each class, however many apps a process starts. */
export function patchOnce(target: object, methods: readonly string[], patch: Patch): void {
  for (const method of methods) {
    const original = (target as Record<string, Method | undefined>)[method];
    if (typeof original !== 'function' || PATCHED in original) continue;
    const patched = Object.assign(patch(method, original), { [PATCHED]: true });
    Object.defineProperty(target, method, { value: patched, configurable: true, writable: true });
  }
}

function prototypeOf(instance: object): object {
  return Object.getPrototypeOf(instance) as object;
}

/** The parts of the driver's objects that its types leave out. */
interface Handle {
  readonly client: mongo.MongoClient;
  readonly dbName: string;
  readonly databaseName: string;
  readonly collectionName: string;
}

const collectionCall: Patch = (method, original) =>
  function entry(...args) {
    if (isOurs(this)) return original.apply(this, args);
    const { client, dbName, collectionName: collection } = this as Handle;
    const listener = listenerTo(client, dbName, collection);
    if (!listener) return original.apply(this, args);
    // A method of the driver may use others of its own.
    const handle = markOurs(Object.create(this) as mongo.Collection);
    const proceed = (given: readonly unknown[] = args): unknown => original.apply(handle, [...given]);
    return listener.hear({ client, collection, method, args, entry, handle, proceed });
  };

/** `$out` and `$merge` write to whichever collection they name. */
const aggregation: Patch = (method, original) =>
  function entry(...args) {
    const target = isOurs(this) ? undefined : targetOf(args[0]);
    if (!target) return original.apply(this, args);
    const { client, dbName, databaseName } = this as Handle;
    const { database = databaseName ?? dbName, collection } = target;
    const listener = listenerTo(client, database, collection);
    if (!listener) return original.apply(this, args);
    const proceed = (given: readonly unknown[] = args): unknown => original.apply(this, [...given]);
    return listener.hear({ client, collection, method, args, entry, handle: undefined, proceed });
  };

const command: Patch = (_, original) =>
  function entry(...args) {
    const given = isOurs(this) ? undefined : args[0];
    if (typeof given !== 'object' || given === null) return original.apply(this, args);
    const [method = ''] = Object.keys(given);
    if (!WRITE_COMMANDS.includes(method)) return original.apply(this, args);
    const { client, databaseName } = this as Handle;
    const collection = String((given as Record<string, unknown>)[method]);
    const proceed = (now: readonly unknown[] = args): unknown => original.apply(this, [...now]);
    const call = { client, collection, method: `command ${method}`, args, entry, handle: undefined, proceed };
    return listenerTo(client, databaseName, collection)?.hear(call) ?? proceed();
  };

/** Of all collections that it writes to, the first one that somebody listens to stands for the call. */
const clientBulk: Patch = (method, original) =>
  function entry(...args) {
    const client = this as mongo.MongoClient;
    const proceed = (given: readonly unknown[] = args): unknown => original.apply(this, [...given]);
    for (const model of Array.isArray(args[0]) ? (args[0] as { namespace?: unknown }[]) : []) {
      const [database = '', ...rest] = String(model?.namespace).split('.');
      const collection = rest.join('.');
      const listener = listenerTo(client, database, collection);
      if (listener)
        return listener.hear({ client, collection, method, args, entry, handle: undefined, proceed });
    }
    return proceed();
  };

function listenerTo(client: mongo.MongoClient, database: string, collection: string): Listener | undefined {
  if (listeners.size === 0) return undefined;
  let some = near.get(client);
  if (!some) near.set(client, (some = listenersNear(client)));
  return some.find((one) => one.database === database && one.isAbout(collection));
}

/** Its own listener first. */
function listenersNear(client: mongo.MongoClient): Listener[] {
  const hostsOf = ({ options }: mongo.MongoClient): string[] => options.hosts.map(String);
  const hosts = hostsOf(client);
  return [...listeners]
    .filter((one) => one.client === client || hostsOf(one.client).some((host) => hosts.includes(host)))
    .sort((a, b) => Number(b.client === client) - Number(a.client === client));
}

interface AggregationTarget {
  readonly database?: string;
  readonly collection: string;
}

function targetOf(pipeline: unknown): AggregationTarget | undefined {
  const last: unknown = Array.isArray(pipeline) ? pipeline.at(-1) : undefined;
  if (typeof last !== 'object' || last === null) return undefined;
  const { $out, $merge } = last as { $out?: unknown; $merge?: unknown };
  const into =
    $out ?? (typeof $merge === 'object' && $merge !== null && 'into' in $merge ? $merge.into : $merge);
  if (typeof into === 'string') return { collection: into };
  if (typeof into !== 'object' || into === null) return undefined;
  const { db, coll } = into as { db?: unknown; coll?: unknown };
  return { ...(typeof db === 'string' ? { database: db } : {}), collection: String(coll) };
}
