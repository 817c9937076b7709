import { VerifiedTokens } from './verified-tokens';

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

  it('give each request a payload of its own', () => {
    const tokens = new VerifiedTokens(2);
    tokens.keep('a', { roles: ['user'] }, NOW);
    (tokens.get('a', NOW) as { roles: string[] }).roles.push('admin');
    expect(tokens.get('a', NOW)).toEqual({ roles: ['user'] });
  });
});
