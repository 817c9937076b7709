import fc from 'fast-check';
import '../../../../test/support/runs';
import { checkDocument } from './document-rules';

const limits = { maxDepth: 32, maxDocumentBytes: 1 << 20 };

function parse(json: string): unknown {
  return JSON.parse(json);
}

describe('document rules', () => {
  it.each<[string, unknown, string, string]>([
    ['an array', [], 'invalid_data', 'data '],
    ['null', null, 'invalid_data', 'data '],
    ['a string', 'x', 'invalid_data', 'data '],
    ['an operator', parse('{"a":{"$set":1}}'), 'forbidden_key', 'data.a["$set"]'],
    ['a dotted key', { list: [1, { 'a.b': 1 }] }, 'forbidden_key', 'data.list[1]["a.b"]'],
    ['__proto__', parse('{"a":{"__proto__":{"x":1}}}'), 'forbidden_key', 'data.a.__proto__'],
    ['constructor', { constructor: 1 }, 'forbidden_key', 'data.constructor'],
    ['prototype', { a: { prototype: 1 } }, 'forbidden_key', 'data.a.prototype'],
    ['a disguised BSON type', { a: { _bsontype: 'ObjectId' } }, 'forbidden_key', 'data.a._bsontype'],
    ['a NUL in a key', { 'a\0b': 1 }, 'forbidden_key', 'data["a\\u0000b"]'],
    ['an empty key', { '': 1 }, 'forbidden_key', 'data[""]'],
    ['_id', { _id: 'secret' }, 'forbidden_key', 'data._id'],
    ['an engine’s field', { _sync_version: 'secret' }, 'forbidden_key', 'data._sync_version'],
    ['2^53', { n: 2 ** 53 }, 'unsafe_number', 'data.n'],
    ['-2^53', { n: [-(2 ** 53)] }, 'unsafe_number', 'data.n[0]'],
    ['1e999', parse('{"n":1e999}'), 'unsafe_number', 'data.n'],
    ['NaN', { n: NaN }, 'unsafe_number', 'data.n'],
    ['half a surrogate pair', { s: 'secret\ud800' }, 'invalid_string', 'data.s'],
    ['half a pair in a key', { 'k\udc00': 1 }, 'invalid_string', 'data["k\\udc00"]'],
    ['a Date', { at: new Date(0) }, 'invalid_data', 'data.at'],
    ['a function', { at: () => 1 }, 'invalid_data', 'data.at'],
    ['undefined in an array', { at: [undefined] }, 'invalid_data', 'data.at[0]'],
    ['a bigint', { at: 1n }, 'invalid_data', 'data.at'],
  ])('refuses %s', (_, data, code, path) => {
    const rejection = checkDocument(data, limits);
    expect(rejection?.code).toBe(code);
    expect(rejection?.message.startsWith(path)).toBe(true);
    expect(rejection?.message).not.toContain('secret');
  });

  it('takes _id and _sync_ keys below the top, and odd but harmless names', () => {
    const data = {
      a: { _id: 1, _sync_version: 2 },
      toString: 1,
      hasOwnProperty: 2,
      length: 3,
      then: 4,
      ünïcode: 'x\0y',
    };
    expect(checkDocument(data, limits)).toBeUndefined();
  });

  it.each([33, 1_000, 100_000])('refuses a depth of %i without a crash', (depth) => {
    const objects = parse(`${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`);
    const arrays = parse(`{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`);
    expect(checkDocument(objects, limits)?.code).toBe('too_deep');
    expect(checkDocument(arrays, limits)?.code).toBe('too_deep');
  });

  it('takes the greatest depth', () => {
    expect(checkDocument(parse(`${'{"a":'.repeat(31)}{}${'}'.repeat(31)}`), limits)).toBeUndefined();
  });

  it('refuses a ring', () => {
    const ring: Record<string, unknown> = {};
    ring.self = ring;
    expect(checkDocument(ring, limits)?.code).toBe('too_deep');
  });

  it('counts bytes exactly as JSON.stringify does', () => {
    const escaped = fc.string({ unit: fc.constantFrom('\0', '\u0007', '"', '€', '😀'), maxLength: 60 });
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.stringMatching(/^\w{1,9}$/),
          fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), escaped),
        ),
        fc.nat(200),
        (data, maxDocumentBytes) => {
          fc.pre(checkDocument(data, limits) === undefined);
          const bytes = Buffer.byteLength(JSON.stringify(data));
          const rejection = checkDocument(data, { maxDepth: 32, maxDocumentBytes });
          expect(rejection?.code).toBe(bytes > maxDocumentBytes ? 'document_too_large' : undefined);
        },
      ),
    );
  });

  it('cuts what it names of a long key', () => {
    const rejection = checkDocument({ [`$${'x'.repeat(10_000)}`]: 1 }, limits);
    expect(rejection?.message.length).toBeLessThan(300);
  });

  it('never lets a refused key through, wherever it stands', () => {
    const bad = fc.constantFrom('$x', 'a.b', '__proto__', 'constructor', 'prototype', '_bsontype', 'a\0', '');
    const path = fc.array(fc.oneof(fc.constant(0), fc.stringMatching(/^[a-z]{1,4}$/)), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(bad, path, (key, steps) => {
        const leaf = Object.fromEntries([[key, 1]]) as unknown;
        const nested = steps.reduceRight<unknown>(
          (inner, step) => (step === 0 ? [inner] : { [step]: inner }),
          leaf,
        );
        expect(checkDocument({ root: nested }, limits)?.code).toBe('forbidden_key');
      }),
    );
  });
});
