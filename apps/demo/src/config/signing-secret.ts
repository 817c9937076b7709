/** The variables that say how tokens are signed and verified. */
interface KeyVariables {
  readonly NODE_ENV?: string;
  readonly JWT_SECRET?: string;
  readonly SYNC_JWT_PUBLIC_KEY?: string;
  readonly SYNC_JWT_JWKS_URI?: string;
}

/** Known to everyone who has read this file. `readEnvironment` refuses it in production. */
const DEVELOPMENT_SECRET = 'development-only: everybody knows this secret';

/** What is wrong with the keys for tokens, one line each. */
export function checkSecret(environment: KeyVariables): string[] {
  const { NODE_ENV, JWT_SECRET, SYNC_JWT_PUBLIC_KEY, SYNC_JWT_JWKS_URI } = environment;
  const keys = [JWT_SECRET, SYNC_JWT_PUBLIC_KEY, SYNC_JWT_JWKS_URI].filter((key) => key !== undefined);
  if (keys.length > 1)
    return ['JWT_SECRET, SYNC_JWT_PUBLIC_KEY and SYNC_JWT_JWKS_URI: set only one of them.'];
  if (NODE_ENV !== 'production') return [];
  if (keys.length === 0)
    return [
      'JWT_SECRET is missing: in production set it to 32 random bytes or more (openssl rand -base64 32), ' +
        'or set SYNC_JWT_PUBLIC_KEY or SYNC_JWT_JWKS_URI.',
    ];
  return JWT_SECRET === DEVELOPMENT_SECRET ? ['JWT_SECRET is the development secret: use another one.'] : [];
}

/** The HS256 secret in use; undefined when tokens are verified by a public key and made elsewhere. */
export function signingSecret(environment: KeyVariables): string | undefined {
  if (environment.SYNC_JWT_PUBLIC_KEY ?? environment.SYNC_JWT_JWKS_URI) return undefined;
  return environment.JWT_SECRET ?? DEVELOPMENT_SECRET;
}

export function usesDevelopmentSecret(environment: KeyVariables): boolean {
  return signingSecret(environment) === DEVELOPMENT_SECRET;
}
