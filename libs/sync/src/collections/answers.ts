import { types } from 'node:util';
import { isBsonValue } from '../codec/bson-wire';

/**
 * What the app's own code answers, judged as strictly as what a client sends. A promise and an Observable stand for
 * what comes out of them; nothing is taken for a yes, or for a document, because it is truthy or an object.
 */

/** An Observable of whichever copy of rxjs, known by what it can do. */
interface ObservableLike {
  subscribe(observer: {
    next(value: unknown): void;
    error(error: unknown): void;
    complete(): void;
  }): { unsubscribe(): void } | undefined;
}

/** The value of an Observable that completes without one. */
export const NO_VALUE = Symbol('an Observable without a value');

export function isObservable(value: unknown): value is ObservableLike {
  return (
    typeof value === 'object' &&
    value !== null &&
    'subscribe' in value &&
    typeof value.subscribe === 'function' &&
    ('pipe' in value || Symbol.for('observable') in value || '@@observable' in value)
  );
}

/**
 * The value of an answer: of a promise (or any thenable), the last value of an Observable, as Nest takes it
 * from guards; {@link NO_VALUE} without one. Rejects with what either fails with.
 *
 * @param signal ends the subscription to an Observable that never completes
 */
export async function settled(answer: unknown, signal?: AbortSignal): Promise<unknown> {
  const value: unknown = await answer;
  return isObservable(value) ? lastValue(value, signal) : value;
}

function lastValue(source: ObservableLike, signal?: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let last: unknown = NO_VALUE;
    const subscription = source.subscribe({
      next: (value) => (last = value),
      error: reject,
      complete: () => {
        resolve(last);
      },
    });
    signal?.addEventListener('abort', () => subscription?.unsubscribe(), { once: true });
  });
}

/** What stands where true or false should, in words without any of its content; undefined for the two. */
export function notABoolean(answer: unknown): string | undefined {
  return typeof answer === 'boolean' ? undefined : inWords(answer);
}

/**
 * What stands where a document should, in words without any of its content; undefined for a document: a plain object,
 * one with fields of a class, a Mongoose document.
 *
 * Everything else would be stored as an empty document, because its content is no fields: a Date, a Map, an ObjectId,
 * a Promise, an instance that keeps all it has in private fields or getters.
 */
export function notADocument(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return inWords(answer);
  // What it shows may differ from one look to the next.
  if (types.isProxy(answer)) return 'a Proxy';
  if (isObservable(answer)) return 'an Observable (return a promise or a value)';
  if ('then' in answer && typeof answer.then === 'function') return 'a promise (await it)';
  if (isBsonValue(answer) || isBuiltIn(answer)) return inWords(answer);
  if ('toBSON' in answer && typeof answer.toBSON === 'function') {
    // A Mongoose document: what it says to be stored as.
    const stored: unknown = (answer.toBSON as () => unknown)();
    return stored === answer ? undefined : notADocument(stored);
  }
  return isPlain(answer) || hasFields(answer) ? undefined : `${inWords(answer)} without fields`;
}

/** The same where only JSON counts: an instance of a class is refused too, a Mongoose document among them. */
export function notAPlainObject(answer: unknown): string | undefined {
  return (
    notADocument(answer) ??
    (isPlain(answer as object) ? undefined : `${inWords(answer)} (give a plain object)`)
  );
}

/** A value's kind, never its content. */
export function inWords(value: unknown): string {
  if (value === undefined || value === NO_VALUE) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'string') return 'a text';
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (types.isProxy(value)) return 'a Proxy';
  if (isObservable(value)) return 'an Observable';
  if (types.isPromise(value)) return 'a promise';
  const name = className(value);
  if (name === undefined || name === 'Object') return 'an object';
  return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`;
}

function className(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (typeof prototype !== 'object' || prototype === null) return undefined;
  const made: unknown = (prototype as { readonly constructor?: unknown }).constructor;
  return typeof made === 'function' && /^\w{1,60}$/.test(made.name) ? made.name : undefined;
}

function isBuiltIn(value: object): boolean {
  return (
    types.isDate(value) ||
    types.isMap(value) ||
    types.isSet(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isRegExp(value) ||
    types.isNativeError(value) ||
    types.isBoxedPrimitive(value) ||
    types.isAnyArrayBuffer(value) ||
    types.isGeneratorObject(value) ||
    ArrayBuffer.isView(value) ||
    Symbol.iterator in value
  );
}

/** Also one of another realm, or without a prototype. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function hasFields(value: object): boolean {
  return Object.values(value).some((field) => field !== undefined && typeof field !== 'function');
}

/** Told of an error of the app's own code (a transform, a hook) that rejected a change, so that it can be logged. */
export type FailureReport = (step: string, error: unknown) => void;

/** What may be logged of an error of the app's code: its kind and where it was thrown. Its message may hold data. */
export function failureTrace(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [error.name, ...frames.slice(0, 8)].join('\n');
}
