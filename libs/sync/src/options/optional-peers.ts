import { SyncError } from 'nest-offline-sync-protocol';

/**
 * The packages that only some options need, each loaded when such an option is there, and never with the library.
 *
 * Plain `require`: `import()` fails in a host's Jest without --experimental-vm-modules. Each stands with its name, and
 * inside its own `try`, so that webpack finds it and takes a missing one for a warning.
 */
/* eslint-disable @typescript-eslint/no-require-imports */

/**
 * What the shipped check of bearer tokens is made of.
 *
 * @throws SyncError `configuration` when one of the packages is not installed
 */
export function loadPassport(): PassportTools {
  try {
    return {
      ...(require('@nestjs/passport') as typeof import('@nestjs/passport')),
      ...(require('passport-jwt') as typeof import('passport-jwt')),
      passport: require('passport') as typeof import('passport'),
    };
  } catch (error) {
    throw explained(error, {
      packages: ['@nestjs/passport', 'passport', 'passport-jwt'],
      path: 'jwt',
      needs: 'option jwt needs',
      otherwise: 'give a guard of the app with option guard, which needs none of them',
    });
  }
}
export type PassportTools = Pick<typeof import('@nestjs/passport'), 'AuthGuard' | 'PassportStrategy'> &
  Pick<typeof import('passport-jwt'), 'ExtractJwt' | 'Strategy'> & {
    readonly passport: typeof import('passport');
  };

/** @throws SyncError `configuration` when jwks-rsa is not installed */
export function loadJwksClient(): typeof import('jwks-rsa').JwksClient {
  try {
    return (require('jwks-rsa') as typeof import('jwks-rsa')).JwksClient;
  } catch (error) {
    throw explained(error, {
      packages: ['jwks-rsa'],
      // The next major version is made of ES modules again.
      install: ['jwks-rsa@3'],
      path: 'jwt.jwksUri',
      needs: 'option jwt.jwksUri needs',
      otherwise: 'give the key itself as jwt.publicKey',
    });
  }
}

/** @throws SyncError `configuration` when one of the two packages is not installed */
export function loadDtoPackages(
  collection: string,
): Pick<typeof import('class-validator'), 'validate'> &
  Pick<typeof import('class-transformer'), 'plainToInstance'> {
  try {
    const { plainToInstance } = require('class-transformer') as typeof import('class-transformer');
    const { validate } = require('class-validator') as typeof import('class-validator');
    return { plainToInstance, validate };
  } catch (error) {
    throw explained(error, {
      packages: ['class-validator', 'class-transformer'],
      path: `collections.${collection}.dto`,
      needs: `collection ${collection} has a dto, which needs`,
      otherwise: 'leave the dto out',
    });
  }
}

/** @throws SyncError `configuration` when prom-client is not installed */
export function loadPromClient(): typeof import('prom-client') {
  try {
    return require('prom-client') as typeof import('prom-client');
  } catch (error) {
    throw explained(error, {
      packages: ['prom-client'],
      path: 'metricsEnabled',
      needs: 'the metrics need',
      otherwise: 'switch them off with metricsEnabled: false',
    });
  }
}

/** What was asked for is not installed. The `path` of the error is the option that asked. */
export class MissingPackage extends SyncError {}

interface Need {
  readonly packages: readonly string[];
  /** What to install, when that is not just the names. */
  readonly install?: readonly string[];
  readonly path: string;
  readonly needs: string;
  readonly otherwise: string;
}

/** A package that is there and fails to load is no missing one: its own error says more. */
function explained(cause: unknown, { packages, install = packages, path, needs, otherwise }: Need): unknown {
  if (!isMissing(cause, packages)) return cause;
  return new MissingPackage(
    'configuration',
    `SyncModule: ${needs} ${packages.join(', ')}, and not all of that is installed here. ` +
      `Run \`npm install ${install.join(' ')}\`, or ${otherwise}.`,
    { path, cause },
  );
}

/** One of the packages, not a file or a dependency of theirs. */
function isMissing(error: unknown, packages: readonly string[]): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_MODULE_NOT_FOUND') return false;
  const [first = ''] = String(message).split('\n');
  return packages.some((name) => first.includes(`'${name}'`) || first.includes(`access ${name},`));
}
