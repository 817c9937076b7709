import * as fc from 'fast-check';
import { COLLECTIONS, GLOBAL, SCOPED } from './world';

/**
 * Values that a hostile client may send, as JSON text: so they can hold what no JavaScript object can (repeated keys,
 * numbers beyond range, `__proto__`). A text in ⟦double brackets⟧ is filled in by the lexicon when a request is sent.
 */
type Text = fc.Arbitrary<string>;

const among = (...texts: string[]): Text => fc.constantFrom(...texts);
const quoted = (texts: Text): Text => texts.map((text) => `"${text}"`);
const weighted = (good: Text, weight: number, odd: Text): Text =>
  fc.oneof({ weight, arbitrary: good }, { weight: 1, arbitrary: odd });

/** Names of things of A's that B somehow knows, and of B's own. */
export const knownOfAlice = among('⟦A.id.0⟧', '⟦A.id.1⟧', '⟦A.id.2⟧', 'live', 'gone');
export const versions = fc.oneof(
  fc.nat(40).map((n) => `⟦A.version.${String(n)}⟧`),
  fc.nat(6).map((n) => `⟦B.version.${String(n)}⟧`),
  among(
    '19700101T000000.000Z-0000',
    '20250101T000000.000Z-0000-nobody',
    '20260101T000000.000Z-0000-n1',
    '20260101T000030.000Z-9999-n1',
    '20260101T000200.000Z-0000-zz',
    '29990101T000000.000Z-0000-x',
    '99991231T235959.999Z-9999-x',
  ),
);

const deep = (levels: number, open: string, close: string): string =>
  open.repeat(levels) + '1' + close.repeat(levels);
/** In the place of anything. */
export const oddJson = fc.oneof(
  among(
    'null', 'true', 'false', '0', '-0', '1e999', '-1', '1.5', '9007199254740993', '123456789012345678901234567890',
    '""', '" "', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800"', '"\\u202e"', '"\\ufeff"', '"e\\u0301"',
    '"\\u00e9"', '"😀"', '"$ne"', '"$where"', '"__proto__"', '"constructor"', '"../../x"', '"%00"', '"true"',
    '[]', '{}', '[[]]', '[null]', '{"$ne":null}', '{"$gt":""}', '{"$in":["live"]}', '{"$regex":".*"}', '{"$where":"1"}',
    '{"$oid":"5f0000000000000000000000"}', '{"_bsontype":"ObjectId","id":"123456789012"}', '{"toString":1}',
    '{"length":3}', '{"then":1}', '{"toJSON":1}', '{"toHexString":1}', '{"__proto__":{"scope":"⟦A.scope⟧"}}',
    '{"constructor":{"prototype":{"x":1}}}', '["⟦A.scope⟧"]', '["⟦A.id.0⟧"]', '{"0":"⟦A.id.0⟧"}', '"⟦A.scope⟧"', '"⟦A.id.0⟧"',
    '"[\\"⟦A.scope⟧\\",\\"live\\"]"', '"[\\"⟦A.scope⟧\\",\\"⟦A.id.0⟧\\"]"', '"⟦A.actor⟧"', '"⟦A.mutation.0⟧"',
    `"${'x'.repeat(129)}"`, `"${'é'.repeat(129)}"`, `"${'y'.repeat(300)}"`, `"${'z'.repeat(70_000)}"`,
    deep(31, '[', ']'), deep(40, '{"a":', '}'), deep(2_000, '[', ']'),
  ),
  quoted(versions),
  fc.string({ maxLength: 8, unit: 'binary' }).map((text) => JSON.stringify(text)),
  fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
); // prettier-ignore

const key = weighted(
  quoted(among('title', 'name', 'count', 'tags', 'when', 'price', 'n')),
  4,
  quoted(
    among('_sync_scope_id', '_sync_version', '_sync_actor_id', '_sync_deleted', '_sync_hlc', '_id', '$set', '$where',
      'a.b', '', '__proto__', 'constructor', 'prototype', '_bsontype', 'scope', '\\u0000', '⟦A.id.0⟧', 'updatedAt'),
  ),
); // prettier-ignore
const plain = among(
  '"mine"',
  '1',
  '2',
  'true',
  'null',
  '["a"]',
  '{"x":1}',
  '"2026-05-02T12:00:00.000Z"',
  '"12.50"',
);

function object(keys: Text, values: Text, maxLength: number): Text {
  return fc
    .array(fc.tuple(keys, values), { maxLength })
    .map((pairs) => `{${pairs.map(([name, value]) => `${name}:${value}`).join(',')}}`);
}

const data = weighted(object(key, weighted(plain, 5, oddJson), 3), 8, oddJson);
const docId = weighted(
  quoted(fc.oneof(among('own-1', 'own-2', 'own-3'), knownOfAlice, knownOfAlice)),
  10,
  oddJson,
);
const collection = weighted(
  quoted(among(...COLLECTIONS)),
  20,
  fc.oneof(
    oddJson,
    quoted(among('sync_oplog', 'sync_heads', 'sync_receipts', 'sync_leases', 'system.users', 'Shared', 'shared ', 'constructor', 'toString')),
  ),
); // prettier-ignore
const mutation = weighted(
  quoted(
    fc.oneof(
      fc.nat(11).map((n) => `⟦A.mutation.${String(n)}⟧`),
      among('m1', 'm2', 'm3', '__proto__'),
    ),
  ),
  10,
  oddJson,
);

/** What a patch has besides its data: names and paths, good ones and odd ones. */
const path = weighted(
  quoted(among('title', 'name', 'count', 'tags', 'n', 'a.b', 'price.x')),
  3,
  quoted(
    among('_sync_scope_id', '_sync_version', '_sync_x.y', '_id', '$set', 'a.$x', 'tags.0', 'a..b', '', '.', '__proto__', '__proto__.x',
      'a.constructor.prototype', '⟦A.id.0⟧', '\\u0000', '\\ud800', 'p'.repeat(2_000), 'a.'.repeat(50) + 'a'),
  ),
); // prettier-ignore
const number = weighted(among('1', '-2', '0.5'), 3, oddJson);
const values = weighted(
  fc.array(weighted(plain, 4, oddJson), { maxLength: 3 }).map((all) => `[${all.join(',')}]`),
  5,
  oddJson,
);
const patchPart = fc.oneof(
  weighted(object(path, number, 2), 8, oddJson).map((inc) => `"inc":${inc}`),
  weighted(object(path, values, 2), 8, oddJson).map((add) => `"add":${add}`),
  weighted(object(path, values, 2), 8, oddJson).map((remove) => `"remove":${remove}`),
  weighted(
    fc.array(path, { maxLength: 3 }).map((unset) => `[${unset.join(',')}]`),
    8,
    oddJson,
  ).map((unset) => `"unset":${unset}`),
);

/** One change, most of it good: a request that is refused at the door reaches nothing. */
export const change: Text = weighted(
  fc
    .record({
      collection,
      operation: weighted(among('"upsert"', '"upsert"', '"patch"', '"patch"', '"delete"'), 20, oddJson),
      parts: fc.array(patchPart, { maxLength: 3 }),
      docId,
      data,
      parent: fc.option(weighted(quoted(versions), 10, oddJson)),
      mutation: fc.option(mutation),
      hlc: fc.option(weighted(quoted(versions), 10, oddJson), { freq: 1 }),
      parentMutation: fc.option(mutation, { freq: 1 }),
      group: fc.option(weighted(among('"g"', '"g"', '"h"', '1', '"⟦A.scope⟧"'), 10, oddJson), { freq: 1 }),
      returns: fc.option(weighted(among('"document"'), 20, oddJson), { freq: 1 }),
      more: fc.option(
        among('"scope_id":"⟦A.scope⟧"', '"_sync_scope_id":"⟦A.scope⟧"', '"__proto__":{"doc_id":"live"}', '"doc_id":"live"',
          '"actor_id":"⟦A.actor⟧"', '"version":"⟦A.version.0⟧"', '"seq":1'),
        { freq: 2, nil: '' },
      ),
    })
    .map((it) =>
      [
        `"collection":${it.collection},"operation":${it.operation},"doc_id":${it.docId},"data":${it.data}`,
        ...it.parts,
        ...(it.parent === null ? [] : [`"parent_version":${it.parent}`]),
        ...(it.mutation === null ? [] : [`"mutation_id":${it.mutation}`]),
        ...(it.hlc === null ? [] : [`"hlc":${it.hlc}`]),
        ...(it.parentMutation === null ? [] : [`"parent_mutation_id":${it.parentMutation}`]),
        ...(it.group === null ? [] : [`"group":${it.group}`]),
        ...(it.returns === null ? [] : [`"return":${it.returns}`]),
        ...(it.more === '' ? [] : [it.more]),
      ].join(','),
    )
    .map((fields) => `{${fields}}`),
  20,
  oddJson,
); // prettier-ignore

const changes: Text = weighted(
  fc.array(change, { minLength: 1, maxLength: 5 }).map((some) => `[${some.join(',')}]`),
  15,
  oddJson,
);

/** The body of a push. */
export const pushBody: Text = weighted(
  fc
    .record({
      changes,
      client: weighted(among('"⟦A.client⟧"', '"device"', '"device"', '"other"'), 12, oddJson),
      atomic: fc.option(weighted(among('"batch"', '"mutation"', '"mutation"'), 8, oddJson), { freq: 3 }),
      more: fc.option(
        among('"scope":"⟦A.scope⟧"', '"scope":"⟦B.scope⟧"', '"scope":["⟦A.scope⟧"]', '"scope_id":"⟦A.scope⟧"', '"identity":{"scopeId":"⟦A.scope⟧","actorId":"⟦A.actor⟧"}', '"__proto__":{"client_id":"x"}',
          '"user":{"business_id":"⟦A.scope⟧"}', '"client_id":"⟦A.client⟧"'),
        { freq: 1, nil: '' },
      ),
    })
    .map(
      (it) =>
        `{"client_id":${it.client},${it.atomic === null ? '' : `"atomic":${it.atomic},`}"changes":${it.changes}${it.more === '' ? '' : `,${it.more}`}}`,
    ),
  15,
  fc.oneof(oddJson, among('', '{', '{"changes":', '[1,2', 'undefined', '\u0000', '{"a":1}{"b":2}')),
); // prettier-ignore

/** `collections` of a read, as text: names, commas, names of what is no collection. */
export const collectionNames: Text = weighted(
  fc.array(among(...GLOBAL, ...SCOPED), { minLength: 1, maxLength: 3 }).map((names) => names.join(',')),
  6,
  among('', ',', '*', ' notes ', 'sync_oplog', 'sync_heads', 'sync_receipts', 'NOTES', 'notes,notes', '$all', '__proto__',
    'constructor', '⟦A.scope⟧', 'notes;shared', '["notes"]', '😀'),
); // prettier-ignore
