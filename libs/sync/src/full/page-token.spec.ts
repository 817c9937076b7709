import fc from 'fast-check';
import { parseHlc, SyncError, ZERO_VERSION, type Json } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import { decodePageToken, encodePageToken, type PageToken } from './page-token';

const KNOWN = ['orders', 'tasks', 'archive', 'notes'];
const TOKEN: PageToken = {
  scope: 'shop-1',
  collections: ['tasks', 'notes'],
  index: 1,
  from: { $oid: '65f000000000000000000001' },
  lastSeq: '20260502T120000.000Z-0001-a1b2',
};

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function refused(text: string, scope = TOKEN.scope): SyncError {
  try {
    decodePageToken(text, scope, KNOWN);
  } catch (error) {
    if (error instanceof SyncError) return error;
    throw error;
  }
  throw new Error(`was taken: ${text}`);
}

describe('page token', () => {
  it('comes back as it was, whatever ids and scopes are called', () => {
    const token = fc
      .record({
        scope: fc.string({ minLength: 1, unit: 'grapheme' }),
        collections: fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 5 }),
        from: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as Json),
        lastSeq: fc.constantFrom(ZERO_VERSION, TOKEN.lastSeq),
      })
      .chain((rest) => fc.nat({ max: rest.collections.length - 1 }).map((index) => ({ ...rest, index })));
    fc.assert(
      fc.property(token, fc.array(fc.string()), (given, more) => {
        const known = [...new Set([...more, ...given.collections])];
        const text = encodePageToken(given, known);
        expect(text).toMatch(/^[\w-]+$/);
        expect(decodePageToken(text, given.scope, [...known].reverse())).toEqual(given);
      }),
    );
  });

  it('of another scope is refused in the same words as garbage', () => {
    const foreign = refused(encodePageToken(TOKEN, KNOWN), 'shop-2');
    expect([foreign.code, foreign.path]).toEqual(['invalid_cursor', 'cursor']);
    expect(foreign.message).toBe(refused('garbage').message);
  });

  it('of the format before, with the names in it, is still taken', () => {
    expect(decodePageToken(encoded({ v: 1, ...TOKEN }), TOKEN.scope, [])).toEqual(TOKEN);
  });

  it('stays short with any number of collections, in any order', () => {
    const known = Array.from({ length: 200 }, (_, n) => `${'a-long-name-'.repeat(5)}${n}`);
    const mixed = known.map((_, n) => known[(n * 7) % 200] ?? '');
    for (const [collections, length] of [
      [known, 600],
      [mixed, 1300],
    ] as const) {
      const text = encodePageToken({ ...TOKEN, collections }, known);
      expect(text.length).toBeLessThan(length);
      expect(decodePageToken(text, TOKEN.scope, known)).toEqual({ ...TOKEN, collections });
    }
  });

  it('that was made for other collections is refused', () => {
    const text = encodePageToken(TOKEN, KNOWN);
    expect(() => decodePageToken(text, TOKEN.scope, [...KNOWN, 'zeta'])).not.toThrow();
    for (const known of [
      [],
      ['tasks'],
      ['archive', 'notes', 'tasks'],
      [...KNOWN, 'more'],
      ['a', 'b', 'c', 'd'],
    ])
      expect(() => decodePageToken(text, TOKEN.scope, known)).toThrow('from the same scope and collections');
  });

  const { scope, index, from, lastSeq } = TOKEN;
  const named = JSON.parse(Buffer.from(encodePageToken(TOKEN, KNOWN), 'base64url').toString()) as object;
  it.each([
    '',
    '9',
    '1-0',
    '0-99',
    '-1',
    '1,1',
    '0-1,1',
    '1,',
    'x',
    '1.5',
    '00000000001',
    '3,1',
    '1',
    '3',
    ' 1',
  ])('with the places %j is refused', (places) => {
    const same = { v: 2, scope, places: '3,1', names: '', index, from, lastSeq };
    expect(Object.keys(named)).toEqual(Object.keys(same));
    const token = places === '3,1' ? { ...named, names: 'x' } : { ...named, places };
    expect(refused(encoded(token)).code).toBe('invalid_cursor');
  });

  const whole = { v: 1, ...TOKEN };
  it.each([
    ['another format', { ...whole, v: 2 }],
    ['a field too much', { ...whole, more: 1 }],
    ['no field', {}],
    ['no position', { ...whole, from: undefined }],
    ['something else for its position', { ...whole, from: undefined, form: 1 }],
    ['no object', [1, 2]],
    ['null', null],
    ['an index past the end', { ...whole, index: 2 }],
    ['a negative index', { ...whole, index: -1 }],
    ['half an index', { ...whole, index: 0.5 }],
    ['an index as text', { ...whole, index: '0' }],
    ['no collection', { ...whole, collections: [] }],
    ['a text for its collections', { ...whole, collections: 'tasks' }],
    ['an object for its collections', { ...whole, collections: { length: 2 } }],
    ['a collection without a name', { ...whole, collections: ['tasks', ''] }],
    ['a collection twice', { ...whole, collections: ['tasks', 'tasks'] }],
    ['a collection that is no name', { ...whole, collections: ['tasks', 7] }],
    ['a cursor that is no version', { ...whole, lastSeq: 'soon' }],
    ['a cursor that is no text', { ...whole, lastSeq: 7 }],
    ['a scope that is a query', { ...whole, scope: { $ne: null } }],
  ])('with %s is refused', (_what, value) => {
    expect(refused(encoded(value)).code).toBe('invalid_cursor');
  });

  it('that was cut, changed or grown is refused', () => {
    const text = encodePageToken(TOKEN, KNOWN);
    for (const bad of [
      '',
      '=',
      'a b',
      `${text}=`,
      `!${text}`,
      text.slice(0, -5),
      `${text}AAAA`,
      'A'.repeat(20_000),
    ])
      expect(refused(bad).code).toBe('invalid_cursor');
    // Longer than a request line may be: nothing is parsed that this server cannot have made.
    expect(refused(encodePageToken({ ...TOKEN, from: 'x'.repeat(20_000) }, KNOWN)).code).toBe(
      'invalid_cursor',
    );
    fc.assert(
      fc.property(fc.string(), fc.base64String(), (any, base64) => {
        for (const bad of [any, base64]) expect(refused(bad).code).toBe('invalid_cursor');
      }),
    );
  });

  it('that was forged is refused, or is one that this scope could have been given', () => {
    const field = fc.constantFrom(
      'v',
      'scope',
      'collections',
      'places',
      'names',
      'index',
      'from',
      'lastSeq',
      'more',
    );
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom('shop-1', 'shop-2', 1, 0, ['notes'], ['tasks', 'notes', 'orders'], ZERO_VERSION),
    );
    const rewritten = fc
      .array(fc.tuple(field, value), { minLength: 1, maxLength: 3 })
      .map((changes) => Object.fromEntries(changes))
      .chain((changes) => fc.constantFrom(whole, named).map((base) => encoded({ ...base, ...changes })));
    const good = encodePageToken(TOKEN, KNOWN);
    const flipped = fc
      .tuple(fc.nat({ max: good.length - 1 }), fc.constantFrom(...'AZaz09-_'))
      .map(([at, char]) => good.slice(0, at) + char + good.slice(at + 1));
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(rewritten, flipped), (text) => {
        let token: PageToken;
        try {
          token = decodePageToken(text, TOKEN.scope, KNOWN);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_cursor', message: refused('garbage').message });
          return;
        }
        taken++;
        expect(token.scope).toBe(TOKEN.scope);
        expect(token.collections[token.index]).toEqual(expect.any(String));
        expect(new Set(token.collections).size).toBe(token.collections.length);
        expect(parseHlc(token.lastSeq)).toBeDefined();
        // It says nothing that a token of this server's could not say.
        expect(
          decodePageToken(encodePageToken(token, [...KNOWN, ...token.collections]), TOKEN.scope, [
            ...KNOWN,
            ...token.collections,
          ]),
        ).toEqual(token);
      }),
      runs(2000),
    );
    expect(taken).toBeGreaterThan(0);
  });
});
