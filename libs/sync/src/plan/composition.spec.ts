import fc from 'fast-check';
import mongoose from 'mongoose';
import { isObject, type JsonObject } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import { agrees, compose, keepTypes } from './composition';
import { dropFields, findHidden, isHidden, keepHidden, type FieldFacts } from './field-facts';
import { encodeDocument } from '../codec/wire-codec';

const { ObjectId, Decimal128 } = mongoose.mongo.BSON;
const key = fc.constantFrom('a', 'b', 'c', '_id');
const json = fc.letrec<{ value: unknown; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(0, 1, 'x', 'y', null, true),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(key, tie('value'), { maxKeys: 3 }) as fc.Arbitrary<JsonObject>,
})).object;

/** The same document with values that only the database has in the place of some texts and numbers. */
function typed(value: unknown): unknown {
  if (value === 'x') return new Date(5);
  if (value === 'y') return new ObjectId('507f1f77bcf86cd799439011');
  if (value === 1) return Decimal128.fromString('1.50');
  if (Array.isArray(value)) return value.map(typed);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, typed(inner)]));
}

function standing(document: JsonObject) {
  const { _id, ...fields } = typed(document) as Record<string, unknown>;
  return { stored: fields, wire: encodeDocument(fields) };
}

describe('what a change makes of the document that stands', () => {
  it('is that very document when it comes back as it is shown, whatever a cast makes of it', () => {
    fc.assert(
      fc.property(json, (document) => {
        const { stored, wire } = standing(document);
        const bent = Object.fromEntries(Object.keys(wire).map((name) => [name, 'bent']));
        expect(compose({}, wire, bent, { stored, wire })).toEqual(stored);
        expect(keepTypes(wire, stored)).toEqual(stored);
      }),
      runs(500),
    );
  });

  it('says what was sent: no field is lost, none comes from elsewhere', () => {
    fc.assert(
      fc.property(json, json, (before, { _id, ...sent }) => {
        const { stored, wire } = standing(before);
        expect(encodeDocument(compose({}, sent, sent, { stored, wire }))).toEqual(sent);
        expect(encodeDocument(keepTypes(sent, stored))).toEqual(sent);
      }),
      runs(1000),
    );
  });

  it('takes each element of a list once, by its _id before its place', () => {
    const at = (n: number) => new Date(n);
    const stored = {
      list: [
        { _id: 1, at: at(1) },
        { _id: 2, at: at(2) },
      ],
    };
    const wire = encodeDocument(stored);
    const [one, two] = wire['list'] as unknown as [JsonObject, JsonObject];
    const sent = { list: [two, { ...one, n: 1 }, two] } as unknown as JsonObject;
    const made = compose({}, sent, sent, { stored, wire }) as { list: { at: unknown }[] };
    expect(made.list.map((element) => element.at)).toEqual([at(2), at(1), two['at']]);
  });
});

describe('hidden fields', () => {
  const facts: FieldFacts = {
    children: new Map<string, FieldFacts>([
      ['a', { isHidden: true }],
      ['b', { children: new Map([['a', { isHidden: true }]]) }],
      ['c', { children: new Map([['*', { isHidden: true }]]) }],
    ]),
  };

  it('are in no wire form, and stay in the document whatever is sent in their place', () => {
    fc.assert(
      fc.property(json, json, (before, { _id, ...after }) => {
        const { stored } = standing(before);
        const wire = encodeDocument(stored);
        dropFields(facts, wire, isHidden);
        expect(findHidden(facts, wire)).toBeUndefined();
        const sent: JsonObject = structuredClone(after);
        dropFields(facts, sent, isHidden);
        for (const made of [compose(facts, sent, sent, { stored, wire }), keepHidden(facts, sent, stored)]) {
          expect(made['a']).toEqual(stored['a']);
          const shown = encodeDocument(made);
          dropFields(facts, shown, isHidden);
          for (const name of Object.keys(sent)) expect(shown[name]).toEqual(sent[name]);
        }
      }),
      runs(1000),
    );
  });
});

describe('whether what was sent says the same as what is shown', () => {
  it('is equality where casting has added nothing', () => {
    fc.assert(
      fc.property(json, json, (sent, wire) => {
        expect(agrees({}, sent, sent, wire)).toBe(
          JSON.stringify(sorted(sent)) === JSON.stringify(sorted(wire)),
        );
      }),
      runs(1000),
    );
  });

  it('looks past what casting has added, and past timestamps', () => {
    const facts: FieldFacts = { children: new Map([['at', { time: 'updated' as const }]]) };
    expect(agrees(facts, { n: 1 }, { n: 1, _id: 5 }, { n: 1, _id: 7 })).toBe(true);
    expect(agrees(facts, { n: 1 }, { n: 1 }, { n: 1, _id: 7 })).toBe(false);
    expect(agrees(facts, { n: 1, at: 'x' }, {}, { n: 1, at: 'y' })).toBe(true);
    expect(agrees(facts, { n: 1 }, {}, { n: 1, at: 'y' })).toBe(true);
  });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, sorted(value[name])]),
  );
}
