import { AsyncLocalStorage } from 'node:async_hooks';
import type { Connection } from 'mongoose';
import { patchOnce, type Method, type Patch } from '../database/driver-calls';
import { traceBelow, type Trace } from './call-site';

/** Where the app has called Mongoose, for the calls of the driver that come of it. */
const ENTERED = new AsyncLocalStorage<Trace>();
/** Where the app has made a query: it is run later, often by a `then` of somebody else. */
const MADE = new WeakMap<object, Trace>();

/** Whether anybody wants to know of a collection where it is written. */
type Wanted = (collection: string) => boolean;

/** Until each asks no more: the classes are patched once, for all apps of the process. */
const asking = new Set<Wanted>();

/**
 * Notes where the app enters Mongoose to write one of the wanted collections. When the driver is called, Mongoose has
 * awaited its hooks, and an app that returns a promise without awaiting it is on the stack no more.
 *
 * @returns ends it
 */
export function noteEntries({ base }: Connection, isWanted: Wanted): () => void {
  const { Aggregate, Model, Query } = base;
  patchOnce(Model, ['create', 'insertOne', 'insertMany', 'bulkWrite', 'bulkSave'], entering);
  patchOnce(Model.prototype as object, ['save'], entering);
  patchOnce(Query.prototype, QUERIES, making);
  patchOnce(Model, ['aggregate'], aggregating);
  for (const later of [Query, Aggregate]) patchOnce(later.prototype, ['exec'], running);
  asking.add(isWanted);
  return () => {
    asking.delete(isWanted);
  };
}

/** Where the app has entered Mongoose for the call that is being made. */
export function entered(): Trace | undefined {
  return ENTERED.getStore();
}

const QUERIES = [
  ...['updateOne', 'updateMany', 'replaceOne', 'deleteOne', 'deleteMany'],
  ...['findOneAndUpdate', 'findOneAndReplace', 'findOneAndDelete'],
];

/** A model, one of its documents, or a query. */
interface Writing {
  readonly collection?: { readonly name?: string };
  readonly mongooseCollection?: { readonly name?: string };
}

const entering: Patch = (_, original): Method =>
  function entry(...args) {
    const { collection } = this as Writing;
    // `create` saves documents: the app's call is the outermost one.
    if (ENTERED.getStore() || !isWanted(collection)) return original.apply(this, args);
    return ENTERED.run(traceBelow(entry), () => original.apply(this, args));
  };

const making: Patch = (_, original): Method =>
  function entry(...args) {
    if (!MADE.has(this) && isWanted((this as Writing).mongooseCollection)) MADE.set(this, traceBelow(entry));
    return original.apply(this, args);
  };

/** Which collection its last stage writes is known when it runs. */
const aggregating: Patch = (_, original): Method =>
  function entry(...args) {
    const made = original.apply(this, args);
    if (asking.size > 0 && typeof made === 'object' && made !== null) MADE.set(made, traceBelow(entry));
    return made;
  };

const running: Patch = (_, original): Method =>
  function (...args) {
    const trace = MADE.get(this);
    return trace ? ENTERED.run(trace, () => original.apply(this, args)) : original.apply(this, args);
  };

function isWanted(collection: Writing['collection']): boolean {
  const { name } = collection ?? {};
  if (name === undefined) return false;
  for (const wanted of asking) if (wanted(name)) return true;
  return false;
}
