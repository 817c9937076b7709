import { resolveSettings } from '../../../../libs/sync/src/options/settings';
import { EnvironmentError, readEnvironment } from './environment';
import { helpText } from './help';
import { streamPath, syncExtras, syncOptions, variableOf } from './sync-options';
import { SYNC_VARIABLES } from './sync-variables';

const SECRET = 'a secret of this test that is long enough';

function problemsOf(source: NodeJS.ProcessEnv): readonly string[] {
  try {
    readEnvironment(source);
  } catch (error) {
    if (error instanceof EnvironmentError) return error.lines;
    throw error;
  }
  return [];
}

describe('readEnvironment', () => {
  it('needs nothing outside production', () => {
    const environment = readEnvironment({});
    expect(environment).toMatchObject({ PORT: 3000, WORKERS: 1, LOG_JSON: false });
    expect(syncOptions(environment)).toMatchObject({ actorIdField: 'user_id', scopeIdField: 'business_id' });
    expect(syncOptions(environment).jwt?.secret).toEqual(expect.any(String));
  });

  it('turns texts into the types of the options', () => {
    const environment = readEnvironment({
      JWT_SECRET: SECRET,
      SYNC_BATCH_ATOMIC: 'false',
      SYNC_OPLOG_TTL_DAYS: '0.5',
      SYNC_MAX_PULL_LIMIT: ' 250 ',
      SYNC_MAX_DEPTH: '8',
      SYNC_JWT_AUDIENCE: 'shop, till',
      SYNC_SCOPE_ID_FIELD: 'tenant.id',
      SYNC_PREFIX: '/api/sync/',
      SYNC_STREAM: 'off',
      HLC_NODE_ID: 'node-7',
    });
    expect(syncOptions(environment)).toEqual({
      batchAtomic: false,
      oplogTtlDays: 0.5,
      maxPullLimit: 250,
      limits: { maxDepth: 8 },
      jwt: { secret: SECRET, audience: ['shop', 'till'] },
      actorIdField: 'user_id',
      scopeIdField: 'tenant.id',
      hlcNodeId: 'node-7',
    });
    expect(syncExtras(environment)).toEqual({ prefix: '/api/sync/', stream: false });
    expect(streamPath(environment)).toBe('/api/sync/stream');
  });

  it('takes an empty variable for a missing one', () => {
    expect(readEnvironment({ PORT: '', SYNC_LANES: ' ' })).toMatchObject({ PORT: 3000 });
  });

  it.each([
    ['PORT', '70000', 'PORT must be a whole number from 0 to 65535.'],
    ['WORKERS', 'four', 'WORKERS must be a whole number from 1 to 64.'],
    ['MONGODB_URI', 'localhost:27017', 'MONGODB_URI must be a connection string'],
    ['MONGODB_DATABASE', 'a/b', 'MONGODB_DATABASE must be 1 to 63 letters'],
    ['LOG_LEVEL', 'loud', 'LOG_LEVEL must be one of: fatal'],
    ['SYNC_BATCH_ATOMIC', 'maybe', 'SYNC_BATCH_ATOMIC must be true or false.'],
    ['SYNC_MAX_PULL_LIMIT', '1.5', 'SYNC_MAX_PULL_LIMIT must be a whole number of 0 or more.'],
    ['SYNC_OPLOG_TTL_DAYS', 'a month', 'SYNC_OPLOG_TTL_DAYS must be a number.'],
  ])('says in one line what is wrong with %s=%s', (name, value, line) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringContaining(line)]);
  });

  it('names all that is wrong at once', () => {
    expect(problemsOf({ PORT: 'x', WORKERS: '0' })).toHaveLength(2);
  });
});

describe('the keys of tokens', () => {
  it('are asked for in production', () => {
    expect(problemsOf({ NODE_ENV: 'production' })).toEqual([
      expect.stringContaining('JWT_SECRET is missing'),
    ]);
    expect(problemsOf({ NODE_ENV: 'production', JWT_SECRET: SECRET })).toEqual([]);
    expect(problemsOf({ NODE_ENV: 'production', SYNC_JWT_JWKS_URI: 'https://id.example/keys' })).toEqual([]);
  });

  it('may not be the development secret in production', () => {
    const known = syncOptions(readEnvironment({})).jwt?.secret;
    expect(problemsOf({ NODE_ENV: 'production', JWT_SECRET: known })).toEqual([
      expect.stringContaining('the development secret'),
    ]);
  });

  it('come from one place only', () => {
    expect(problemsOf({ JWT_SECRET: SECRET, SYNC_JWT_JWKS_URI: 'https://id.example/keys' })).toHaveLength(1);
  });

  it('leave the secret out when a key set is given', () => {
    const { jwt } = syncOptions(readEnvironment({ SYNC_JWT_JWKS_URI: 'https://id.example/keys' }));
    expect(jwt).toEqual({ jwksUri: 'https://id.example/keys' });
  });
});

describe('the table of variables', () => {
  const offered = SYNC_VARIABLES.map(({ option }): string => option);

  // The compiler checks the table by the types of the options; this one, what the library really reads.
  it('has every setting of the library', () => {
    const { limits, ...settings } = resolveSettings({});
    const paths = [...Object.keys(settings), ...Object.keys(limits).map((name) => `limits.${name}`)];
    expect(paths.filter((path) => !offered.includes(path))).toEqual([]);
  });

  it('offers no option twice', () => {
    expect(new Set(offered).size).toBe(offered.length);
    expect(new Set(SYNC_VARIABLES.map(({ name }) => name)).size).toBe(offered.length);
  });

  it('finds the variable of an option', () => {
    expect(variableOf('limits.maxDepth')).toBe('SYNC_MAX_DEPTH');
    expect(variableOf('nothing')).toBeUndefined();
  });

  it('is what --help prints', () => {
    const text = helpText();
    for (const name of [...SYNC_VARIABLES.map((variable) => variable.name), 'PORT', 'JWT_SECRET', 'WORKERS'])
      expect(text).toContain(`  ${name} `);
    expect(text).toContain('(business_id) · text, option scopeIdField');
    expect(text).not.toContain('`');
  });
});
