import { checkOptions, resolveExtras } from './extras';

describe('resolveExtras', () => {
  it('fills in the defaults', () => {
    expect(resolveExtras({})).toEqual({
      prefix: 'sync',
      streamPath: '/sync/stream',
      streamPathIsGiven: false,
      isGlobal: true,
      http: true,
      stream: true,
      connectionName: undefined,
    });
  });

  it.each([
    ['api/v1/sync', 'api/v1/sync', '/api/v1/sync/stream'],
    ['/api/sync/', 'api/sync', '/api/sync/stream'],
    ['~a.b_c-d', '~a.b_c-d', '/~a.b_c-d/stream'],
  ])('takes the prefix %s', (given, prefix, streamPath) => {
    expect(resolveExtras({ prefix: given })).toMatchObject({ prefix, streamPath });
  });

  it('takes a path of the socket of its own', () => {
    expect(resolveExtras({ streamPath: 'live/sync' }).streamPath).toBe('/live/sync');
  });

  it.each([
    '',
    '/',
    '//',
    'a//b',
    'a b',
    'a?b',
    'a#b',
    '..',
    'a/../b',
    './a',
    ':tenant',
    'a*',
    'ä',
    'a%2f',
    'a\\b',
    7,
  ])('refuses the path %j', (path) => {
    expect(() => resolveExtras({ prefix: path as string })).toThrow('Option prefix must be a path');
    expect(() => resolveExtras({ streamPath: path as string })).toThrow('Option streamPath must be a path');
  });

  it('refuses switches that are no booleans', () => {
    expect(() => resolveExtras({ http: 'false' as never })).toThrow('Option http must be true or false');
  });
});

describe('checkOptions', () => {
  it('takes options that it knows', () => {
    expect(() =>
      checkOptions({ jwt: { secret: 'x' }, scopeIdField: 'a', maxPullLimit: undefined }),
    ).not.toThrow();
  });

  it.each([undefined, null, 'options', 7])('refuses %p from a factory', (given) => {
    expect(() => checkOptions(given)).toThrow('returned no object');
  });

  it('refuses an unknown option and guesses what was meant', () => {
    expect(() => checkOptions({ scope_id_field: 'a' })).toThrow(
      'no option scope_id_field. Did you mean scopeIdField?',
    );
    expect(() => checkOptions({ colour: 'red' })).toThrow(/no option colour\.$/);
  });

  it('refuses what must stand next to the factory', () => {
    expect(() => checkOptions({ prefix: 'api' })).toThrow('forRootAsync({ prefix: …, useFactory: … })');
  });
});
