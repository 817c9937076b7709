import fc from 'fast-check';
import '../../../test/support/runs';
import { ZERO_VERSION } from './hlc.ts';
import { SyncError } from './errors.ts';
import { parseFullQuery } from './full.ts';
import { parsePullQuery } from './pull.ts';

const LIMITS = { defaultPullLimit: 500, maxPullLimit: 1000, defaultFullLimit: 1000, maxFullLimit: 10_000 };
const VERSION = '20260502T120000.000Z-0001-a1b2';

function refusal(request: unknown): { code: string; path: string | undefined } | undefined {
  try {
    parsePullQuery(request, LIMITS);
    return undefined;
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    return { code: error.code, path: error.path };
  }
}

describe('parsePullQuery', () => {
  it('fills in what is missing, and ignores what it does not know', () => {
    const nothing = { since: undefined, collections: undefined, limit: 500 };
    for (const query of [undefined, null, {}, { since: '', collections: '' }, { page: '3', since: null }])
      expect(parsePullQuery(query, LIMITS)).toEqual(nothing);
  });

  it('takes a client_id that a push could have, and no other for one', () => {
    expect(parsePullQuery({ client_id: 'phone' }, LIMITS).clientId).toBe('phone');
    for (const client_id of ['', 'x'.repeat(129), 'a\0b', 7, ['a', 'b'], { $ne: null }, null])
      expect(parsePullQuery({ client_id }, LIMITS).clientId).toBeUndefined();
  });

  it.each([
    ['tasks', ['tasks']],
    ['tasks,notes', ['tasks', 'notes']],
    [' tasks , ,notes,,tasks', ['tasks', 'notes']],
    [
      ['tasks', 'notes,orders', 'tasks'],
      ['tasks', 'notes', 'orders'],
    ],
    [',', undefined],
    [[], undefined],
  ])('reads the collections %j', (collections, names) => {
    expect(parsePullQuery({ collections }, LIMITS).collections).toEqual(names);
  });

  it('reads every form of a version, also the old one without a node', () => {
    for (const since of [VERSION, '20260502T120000.000Z-0001', '20260502T120000.000Z-0001-a-b.c_d'])
      expect(parsePullQuery({ since }, LIMITS).since).toBe(since);
  });

  it.each([ZERO_VERSION, '19700101T000000.000Z-0007', '19700101T000000.000Z-0001-a1b2'])(
    'takes %s for the beginning',
    (since) => {
      expect(parsePullQuery({ since }, LIMITS).since).toBeUndefined();
    },
  );

  it.each([
    '0',
    'abc',
    '20261302T120000.000Z-0001-a1b2',
    `${VERSION}\0`,
    ' ',
    `${VERSION}-${'x'.repeat(70)}`,
    '٢٠٢٦',
  ])('refuses the cursor %j', (since) => {
    expect(refusal({ since })).toEqual({ code: 'invalid_cursor', path: 'since' });
  });

  it('reads a seq as the cursor too, as text or typed; 0 and blank are the beginning', () => {
    for (const since_seq of [12, '12', '0012']) expect(parsePullQuery({ since_seq }, LIMITS).since).toBe(12);
    expect(parsePullQuery({ since_seq: String(2 ** 53 - 1) }, LIMITS).since).toBe(2 ** 53 - 1);
    for (const since_seq of [0, '0', '', null, undefined])
      expect(parsePullQuery({ since_seq }, LIMITS).since).toBeUndefined();
    expect(parsePullQuery({ since_seq: '', since: VERSION }, LIMITS).since).toBe(VERSION);
  });

  it.each([
    '-1',
    -1,
    '1.5',
    1.5,
    '1e3',
    'x',
    ' ',
    VERSION,
    '9007199254740992',
    2 ** 53,
    '9'.repeat(40),
    NaN,
    '١',
  ])('refuses the seq %j', (since_seq) => {
    expect(refusal({ since_seq })).toEqual({ code: 'invalid_cursor', path: 'since_seq' });
  });

  it.each([
    [{ since: VERSION, since_seq: '1' }],
    [{ since: ZERO_VERSION, since_seq: 0 }],
    [{ since_seq: ['1', '2'] }],
    [{ since_seq: { gt: '1' } }],
    [{ since_seq: true }],
  ])('refuses %j, which is no one cursor', (query) => {
    expect(refusal(query)).toEqual({ code: 'malformed_request', path: 'since_seq' });
  });

  it.each([
    '',
    ' ',
    '0',
    '-1',
    '1001',
    '1e2',
    '0x10',
    '5.0',
    '5.5',
    'NaN',
    '١',
    '9'.repeat(40),
    0,
    1.5,
    NaN,
    Infinity,
  ])('refuses the limit %j', (limit) => {
    expect(refusal({ limit })).toEqual({ code: 'invalid_limit', path: 'limit' });
  });

  it('takes limits as text and as numbers', () => {
    expect(['1', '1000', 1, 1000].map((limit) => parsePullQuery({ limit }, LIMITS).limit)).toEqual([
      1, 1000, 1, 1000,
    ]);
  });

  it.each([
    [{ since: { a: '1' } }, 'since'],
    [{ since: [VERSION, VERSION] }, 'since'],
    [{ limit: ['1', '2'] }, 'limit'],
    [{ limit: { gt: '1' } }, 'limit'],
    [{ limit: true }, 'limit'],
    [{ collections: { 0: 'tasks' } }, 'collections'],
    [{ collections: ['tasks', ['notes']] }, 'collections'],
    ['since=1', undefined],
    [[VERSION], undefined],
  ])('refuses the shape %j', (query, path) => {
    expect(refusal(query)).toEqual({ code: 'malformed_request', path });
  });

  it('answers anything at all with a query or a SyncError', () => {
    const keys = fc.constantFrom('since', 'since_seq', 'collections', 'limit', 'cursor', 'x');
    fc.assert(
      fc.property(fc.dictionary(keys, fc.anything()), (query) => {
        for (const parse of [parsePullQuery, parseFullQuery])
          try {
            parse(query, LIMITS);
          } catch (error) {
            expect(error).toBeInstanceOf(SyncError);
          }
      }),
    );
  });
});

describe('parseFullQuery', () => {
  it('takes 0 for no limit, and its own bounds', () => {
    expect(parseFullQuery({ limit: '0' }, LIMITS).limit).toBe(0);
    expect(parseFullQuery({}, LIMITS)).toMatchObject({
      collections: undefined,
      limit: 1000,
      cursor: undefined,
      tombstones: true,
      count: false,
    });
    expect(() => parseFullQuery({ limit: '10001' }, LIMITS)).toThrow('from 0 to 10000');
  });
});
