import * as fc from 'fast-check';
import '../../../../test/support/runs';
import {
  bearerToken,
  expiryOf,
  isTokenText,
  MAX_TOKEN_LENGTH,
  tokenExpiry,
  VerifiedTokens,
} from './bearer-token';

const jwt = (payload: unknown): string =>
  ['{"alg":"HS256"}', JSON.stringify(payload), 'signature']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');

describe('bearerToken', () => {
  it.each([
    ['Bearer abc.def', 'abc.def'],
    ['bearer  abc', 'abc'],
    ['BEARER abc ', 'abc'],
    ['Basic abc', undefined],
    ['Bearer', undefined],
    ['Bearer a b', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('reads %j as %j', (header, token) => {
    expect(bearerToken(header)).toBe(token);
  });
});

describe('isTokenText', () => {
  it('keeps out what would break a header', () => {
    expect(isTokenText('a.b-c_d~+/=')).toBe(true);
    for (const bad of [
      '',
      ' ',
      'a b',
      'a\r\nx-admin: 1',
      'ä',
      'x'.repeat(MAX_TOKEN_LENGTH + 1),
      7,
      null,
      undefined,
    ])
      expect(isTokenText(bad)).toBe(false);
  });
});

describe('tokenExpiry', () => {
  it('reads exp as seconds', () => {
    expect(tokenExpiry(jwt({ exp: 1_800_000_000 }))).toEqual(new Date(1_800_000_000_000));
  });

  it('knows nothing of opaque tokens and odd claims, and never throws', () => {
    for (const payload of [{}, { exp: '1800000000' }, { exp: null }, { exp: 1e300 }, [], 'text', null])
      expect(tokenExpiry(jwt(payload))).toBeUndefined();
    expect(expiryOf(undefined)).toBeUndefined();
    fc.assert(
      fc.property(fc.string(), (text) => expect(tokenExpiry(`${text}.${text}.${text}`)).toBeUndefined()),
    );
  });
});

const NOW = Date.UTC(2026, 4, 2);
const inSeconds = (seconds: number): number => Math.floor(NOW / 1000) + seconds;

describe('verified tokens', () => {
  it('are known up to their exp, and not in the millisecond of it', () => {
    const tokens = new VerifiedTokens(10);
    tokens.keep('a', { sub: 'ann', exp: inSeconds(60) }, NOW);
    expect(tokens.get('a', NOW + 59_999)).toEqual({ sub: 'ann', exp: inSeconds(60) });
    expect(tokens.get('a', NOW + 60_000)).toBeUndefined();
    expect(tokens.get('b', NOW)).toBeUndefined();
  });

  it('without an exp stay known', () => {
    const tokens = new VerifiedTokens(10);
    tokens.keep('endless', { sub: 'ann' }, NOW);
    expect(tokens.get('endless', NOW + 86_400_000)).toEqual({ sub: 'ann' });
  });

  it('that have expired, within the tolerance of the clock, are not kept', () => {
    const tokens = new VerifiedTokens(10);
    tokens.keep('late', { exp: inSeconds(-1) }, NOW);
    expect(tokens.get('late', NOW)).toBeUndefined();
  });

  it('are as many as the limit, the newest', () => {
    const tokens = new VerifiedTokens(2);
    for (const token of ['a', 'b', 'c']) tokens.keep(token, { token }, NOW);
    expect(['a', 'b', 'c'].map((token) => tokens.get(token, NOW))).toEqual([
      undefined,
      { token: 'b' },
      { token: 'c' },
    ]);
  });

  it('give each request its own payload', () => {
    const tokens = new VerifiedTokens(2);
    tokens.keep('a', { roles: ['user'] }, NOW);
    (tokens.get('a', NOW) as { roles: string[] }).roles.push('admin');
    expect(tokens.get('a', NOW)).toEqual({ roles: ['user'] });
  });
});
