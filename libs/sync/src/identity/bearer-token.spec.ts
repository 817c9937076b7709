import * as fc from 'fast-check';
import '../../../../test/support/runs';
import { bearerToken, expiryOf, isTokenText, MAX_TOKEN_LENGTH, tokenExpiry } from './bearer-token';

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
