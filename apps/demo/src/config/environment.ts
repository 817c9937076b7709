import 'reflect-metadata';
import type { LogLevel } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { IsIn, IsOptional, Matches, validateSync } from 'class-validator';
import { DECORATORS, Flag, Text, Whole } from './kinds';
import { SYNC_VARIABLES, type SyncVariables } from './sync-variables';
import { checkSecret } from './signing-secret';

const LOG_LEVELS: readonly LogLevel[] = ['fatal', 'error', 'warn', 'log', 'debug', 'verbose'];

/** The demo's own variables. SYNC_VARIABLES has those of the library's options. */
export class DemoVariables {
  @IsOptional()
  @Text()
  NODE_ENV?: string;

  @Whole(0, 65_535)
  PORT = 3000;

  @IsOptional()
  @Matches(/^mongodb(\+srv)?:\/\/[^/]/, {
    message: 'must be a connection string, such as mongodb://127.0.0.1:27017/?replicaSet=rs0',
  })
  MONGODB_URI?: string;

  @IsOptional()
  @Matches(/^[A-Za-z0-9_-]{1,63}$/, { message: 'must be 1 to 63 letters, digits, dashes or underscores' })
  MONGODB_DATABASE?: string;

  @IsOptional()
  @Text()
  DATA_DIR?: string;

  @IsOptional()
  @Text()
  PAGES_DIR?: string;

  @IsOptional()
  @Text()
  JWT_SECRET?: string;

  @Whole(1, 64)
  WORKERS = 1;

  @Flag()
  LOG_JSON = false;

  @IsIn(LOG_LEVELS, { message: `must be one of: ${LOG_LEVELS.join(', ')}` })
  LOG_LEVEL: LogLevel = 'log';
}

/** For `--help`, and the list of names to read. */
export const DEMO_VARIABLES: Record<keyof DemoVariables, string> = {
  NODE_ENV: 'production: no default JWT_SECRET, no POST /auth/token, no example data',
  PORT: 'port of HTTP and WebSocket, 0 for a free one (3000)',
  MONGODB_URI: 'a replica set (none: an embedded MongoDB)',
  MONGODB_DATABASE: 'the database (that of MONGODB_URI, else shop_demo)',
  DATA_DIR: 'folder of the embedded MongoDB (.data in the project)',
  PAGES_DIR: 'folder of the built pages (dist/web in the project)',
  JWT_SECRET: 'signs and verifies tokens, HS256 (a well-known one, outside production only)',
  WORKERS: 'server processes (1)',
  LOG_JSON: 'true: a JSON object a log line (false)',
  LOG_LEVEL: 'the least that is logged: fatal, error, warn, log, debug or verbose (log)',
};

/** The environment after reading: typed values, defaults filled in. */
export type Environment = Readonly<DemoVariables> & SyncVariables;

for (const { name, kind } of SYNC_VARIABLES) {
  IsOptional()(DemoVariables.prototype, name);
  DECORATORS[kind]()(DemoVariables.prototype, name);
}

/** The environment cannot be used; one line for each variable at fault. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';

  constructor(readonly lines: readonly string[]) {
    super(lines.join('\n'));
  }
}

/**
 * Reads and checks the variables. An empty one counts as missing, others are left alone.
 *
 * @throws EnvironmentError naming each bad variable and what it may be; never the value of a secret
 */
export function readEnvironment(source: NodeJS.ProcessEnv): Environment {
  const known = [...Object.keys(DEMO_VARIABLES), ...SYNC_VARIABLES.map(({ name }) => name)];
  const given = known.filter((name) => (source[name] ?? '').trim() !== '');
  const environment = plainToInstance(
    DemoVariables,
    Object.fromEntries(given.map((name) => [name, source[name]])),
  ) as Environment;
  const problems = validateSync(environment).map(
    ({ property, constraints = {} }) => `${property} ${Object.values(constraints)[0] ?? 'is not valid'}.`,
  );
  problems.push(...checkSecret(environment));
  if (problems.length > 0) throw new EnvironmentError(problems);
  return environment;
}

export function isProduction(environment: Environment): boolean {
  return environment.NODE_ENV === 'production';
}
