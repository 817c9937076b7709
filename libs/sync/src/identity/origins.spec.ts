import { isSameOrigin, originRule } from './origins';
import type { SyncRequest } from '../options/sync.options';

const SHOP = 'https://shop.example';
const request: SyncRequest = { headers: {} };

describe('the option allowedOrigins', () => {
  it.each<[string, unknown]>([
    ['a text', SHOP],
    ['an object', {}],
    ['null', null],
    ['false', false],
    ['a star', ['*']],
    ['a path', [`${SHOP}/app`]],
    ['a user', ['https://a@shop.example']],
    ['a host alone', ['shop.example']],
    ['nobody', ['null']],
    ['a port that is none', [`${SHOP}:99999`]],
    ['a number', [1]],
    ['one bad entry', [SHOP, '']],
  ])('is refused as %s', (_what, allowed) => {
    expect(() => originRule(allowed)).toThrow(
      expect.objectContaining({
        code: 'configuration',
        path: 'allowedOrigins',
        message: expect.stringContaining('a list of origins such as') as string,
      }) as Error,
    );
  });

  it('matches whole origins, however they are written', () => {
    const rule = originRule(['HTTPS://Shop.example:443/', 'http://[0:0::1]:80', 'capacitor://localhost']);
    for (const origin of [SHOP, 'http://[::1]', 'capacitor://localhost'])
      expect([origin, rule?.(origin, request)]).toEqual([origin, true]);
    for (const origin of [
      'http://shop.example',
      `${SHOP}:444`,
      `${SHOP}.evil.example`,
      'capacitor://evil',
      'null',
      '',
    ])
      expect([origin, rule?.(origin, request)]).toEqual([origin, false]);
  });

  it('forgets no match of a regular expression with state, and never gives nobody’s origin to one', () => {
    const rule = originRule([/shop/gy, /.*/]);
    expect([rule?.('null', request), rule?.(SHOP, request), rule?.(SHOP, request)]).toEqual([
      false,
      true,
      true,
    ]);
    const sticky = originRule([/https:\/\/shop\.example$/g]);
    expect([1, 2, 3].map(() => sticky?.(SHOP, request))).toEqual([true, true, true]);
  });

  it('is no rule when it is left out, and any origin when it is true', () => {
    expect(originRule(undefined)).toBeUndefined();
    expect(originRule(true)?.('null', request)).toBe(true);
  });
});

describe('the same origin', () => {
  it('needs https where this process ended the TLS', () => {
    expect(isSameOrigin(SHOP, 'shop.example', true)).toBe(true);
    expect(isSameOrigin('http://shop.example', 'shop.example', true)).toBe(false);
    expect(isSameOrigin('http://shop.example', 'shop.example', false)).toBe(true);
  });

  it('needs a host that is one', () => {
    for (const host of [undefined, '', 'a b', 'evil@shop.example', 'shop.example/x', 'shop.example?', 'x:y'])
      expect(isSameOrigin(SHOP, host, false)).toBe(false);
  });
});
