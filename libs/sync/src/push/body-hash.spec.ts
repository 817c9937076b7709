import * as fc from 'fast-check';
import type { Json, JsonObject, PushChange } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import { bodyHash, formerBodyHash, isFormerHash, isWithinDepth } from './body-hash';

const data = fc
  .dictionary(fc.string({ maxLength: 3 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5 })
  .map((value) => value as JsonObject);
const change: fc.Arbitrary<PushChange> = fc.record({
  collection: fc.constantFrom('notes', 'tasks'),
  operation: fc.constantFrom('upsert', 'delete'),
  doc_id: fc.oneof(fc.constantFrom('1', 'x'), fc.constant(1)),
  data: fc.option(data, { nil: null }),
  parent_version: fc.constantFrom(null, '20260502T120000.000Z-0000-a1b2'),
  hlc: fc.constantFrom(null, '20260502T120000.000Z-0000-a1b2'),
  mutation_id: fc.constant('m'),
});

/** The same value with every object's keys the other way round. */
function turned(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return (value as Json[]).map(turned);
  const entries = Object.entries(value).reverse();
  return Object.fromEntries(entries.map(([key, each]) => [key, turned(each)]));
}

/** A text that is the same exactly for equal values, whatever the order of keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.entries(each)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .flat()
          .concat('object')
      : each,
  );
}

/** What a mutation is: when it was edited and on what does not count. */
function asked(body: PushChange): PushChange {
  return { ...body, parent_version: null, hlc: null };
}

/** With the last value of the last object or list, at its deepest, changed. */
function altered(value: Json): Json {
  if (Array.isArray(value)) {
    const list = value as Json[];
    return list.length === 0 ? [0] : [...list.slice(0, -1), altered(list.at(-1)!)];
  }
  if (typeof value === 'object' && value !== null) {
    const last = Object.keys(value).at(-1);
    return last === undefined ? { a: 0 } : { ...value, [last]: altered((value as JsonObject)[last]!) };
  }
  return typeof value === 'number' ? String(value) : typeof value === 'string' ? `${value}\0` : 0;
}

/** Without the last key or item, at its deepest. */
function shortened(value: Json): Json {
  if (Array.isArray(value)) return (value as Json[]).slice(0, -1);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value as JsonObject);
  const [name, inner] = entries.pop() ?? [];
  if (name === undefined || inner === undefined) return value;
  const isEmpty = typeof inner !== 'object' || inner === null || Object.keys(inner).length === 0;
  return Object.fromEntries(isEmpty ? entries : [...entries, [name, shortened(inner)]]);
}

describe('the hash of a change', () => {
  it('is the same for every order of keys, and for a body that was parsed again', () => {
    fc.assert(
      fc.property(change, (body) => {
        const other = { ...body, data: body.data && (turned(body.data) as JsonObject) };
        expect(bodyHash(JSON.parse(JSON.stringify(other)) as PushChange)).toBe(bodyHash(body));
      }),
      runs(1000),
    );
  });

  it('is the same whatever stamps a retry has found out again', () => {
    fc.assert(
      fc.property(change, (body) => {
        expect(bodyHash(asked(body))).toBe(bodyHash(body));
      }),
      runs(300),
    );
  });

  it('is never the one that receipts had before, which counted the stamps', () => {
    fc.assert(
      fc.property(change, (body) => {
        expect([isFormerHash(bodyHash(body)), isFormerHash(formerBodyHash(body))]).toEqual([false, true]);
        const stamped = { ...body, hlc: '20260502T120000.001Z-0000-a1b2' };
        expect(formerBodyHash(stamped)).not.toBe(formerBodyHash(body));
        const other = { ...body, data: body.data && (turned(body.data) as JsonObject) };
        expect(formerBodyHash(other)).toBe(formerBodyHash(body));
      }),
      runs(300),
    );
    // As the version before has made it.
    expect(
      formerBodyHash({
        collection: 'notes',
        operation: 'upsert',
        doc_id: 'x',
        data: { b: 1, a: [1] },
        parent_version: null,
        hlc: null,
        mutation_id: 'm',
      }),
    ).toBe('2pLZpAy-cZD6LQ1cslPjbFsAV3XZT-uHNj7g9gySbnI');
  });

  it('differs for different bodies', () => {
    const seen = new Map<string, string>();
    const often = runs(3000);
    fc.assert(
      fc.property(change, (body) => {
        const text = canonical(asked(body));
        const hash = bodyHash(body);
        expect(seen.get(hash) ?? text).toBe(text);
        seen.set(hash, text);
      }),
      often,
    );
    expect(seen.size).toBeGreaterThan(often.numRuns / 6);
  });

  it('differs after any one alteration, however small and wherever it is', () => {
    const alter = fc.constantFrom<(body: PushChange) => PushChange>(
      (body) => ({ ...body, collection: `${body.collection} ` }),
      (body) => ({ ...body, operation: body.operation === 'upsert' ? 'delete' : 'upsert' }),
      (body) => ({
        ...body,
        doc_id: typeof body.doc_id === 'number' ? String(body.doc_id) : `${body.doc_id} `,
      }),
      (body) => ({ ...body, data: body.data ? null : {} }),
      (body) => ({ ...body, data: { ...body.data, 'a new key': null } }),
      (body) => ({ ...body, data: { wrapped: body.data } }),
      (body) => ({ ...body, data: body.data && (altered(body.data) as JsonObject) }),
      (body) => ({ ...body, data: body.data && (shortened(body.data) as JsonObject) }),
    );
    fc.assert(
      fc.property(change, alter, (body, change) => {
        const other = change(body);
        if (canonical(other) === canonical(body)) return;
        expect(bodyHash(other)).not.toBe(bodyHash(body));
      }),
      runs(2000),
    );
  });

  it('tells an object from a list of its pairs, a number from its text, and one id type from the other', () => {
    const base: PushChange = {
      collection: 'c',
      operation: 'upsert',
      doc_id: 'x',
      data: {},
      parent_version: null,
      hlc: null,
      mutation_id: 'm',
    };
    const bodies: PushChange[] = [
      { ...base, data: { a: { b: 1 } } },
      { ...base, data: { a: [['b', 1]] } },
      { ...base, data: { a: { o: [['b', 1]] } } },
      { ...base, data: { a: { b: '1' } } },
      { ...base, data: JSON.parse('{"__proto__": {"b": 1}}') as JsonObject },
      { ...base, doc_id: 1 },
      { ...base, doc_id: '1' },
    ];
    expect(new Set(bodies.map((body) => bodyHash(body))).size).toBe(bodies.length);
  });
});

describe('the depth of a value', () => {
  it('is counted as far as asked, however deep it goes', () => {
    let deep: Json = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    expect(isWithinDepth(deep, 32)).toBe(false);
    expect(isWithinDepth({ a: [{ b: 1 }], c: null }, 3)).toBe(true);
    expect(isWithinDepth({ a: [{ b: 1 }], c: null }, 2)).toBe(false);
  });
});
