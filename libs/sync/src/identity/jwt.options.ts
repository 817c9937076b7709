import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { SyncError } from 'nest-offline-sync-protocol';
import type { SyncJwtOptions } from '../options/sync.options';

const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;
const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const;
const PSS_ALGORITHMS = ['PS256', 'PS384', 'PS512'] as const;
const EC_ALGORITHMS = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' } as const;
const KEY_SET_ALGORITHMS = [...RSA_ALGORITHMS, ...Object.values(EC_ALGORITHMS)];
export type JwtAlgorithm = (typeof SECRET_ALGORITHMS)[number] | (typeof KEY_SET_ALGORITHMS)[number];

/** Below this a shared secret can be guessed: HS256 asks for as many bytes as its hash has. */
const SAFE_SECRET_BYTES = 32;
const SAFE_RSA_BITS = 2048;

/** SyncJwtOptions, checked: the key is of a kind that can verify each of the algorithms, and only those. */
export interface JwtVerification {
  /** The key itself, or where the key set is. */
  readonly key: KeyObject | URL;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly issuer?: string[];
  readonly audience?: string[];
  readonly clockToleranceSeconds: number;
  /** What works but should not stay so. Logged at start. */
  readonly warning?: string;
}

/** @throws SyncError `configuration`, naming the option and the remedy */
export function resolveJwt(options: SyncJwtOptions): JwtVerification {
  const { secret, publicKey, jwksUri, clockToleranceSeconds = 0 } = options;
  if ([secret, publicKey, jwksUri].filter((key) => key !== undefined).length !== 1)
    throw bad('', 'needs exactly one of secret, publicKey and jwksUri');
  if (!Number.isFinite(clockToleranceSeconds) || clockToleranceSeconds < 0)
    throw bad('clockToleranceSeconds', 'must be zero or more seconds');
  const found =
    secret !== undefined
      ? fromSecret(secret)
      : publicKey !== undefined
        ? fromPem(publicKey)
        : fromUrl(jwksUri);
  const wanted: readonly string[] = options.algorithms ?? found.usual;
  const fit = found.fit.filter((name) => wanted.includes(name));
  if (wanted.length === 0 || fit.length < new Set(wanted).size)
    throw bad('algorithms', `must be some of ${found.fit.join(', ')} with this kind of key`);
  return {
    key: found.key,
    algorithms: fit,
    issuer: names('issuer', options.issuer),
    audience: names('audience', options.audience),
    clockToleranceSeconds,
    ...(found.warning === undefined ? {} : { warning: found.warning }),
  };
}

interface FoundKey {
  readonly key: KeyObject | URL;
  /** What a key of this kind can verify. */
  readonly fit: readonly JwtAlgorithm[];
  /** What is accepted when the options name no algorithms. */
  readonly usual: readonly JwtAlgorithm[];
  readonly warning?: string;
}

function fromSecret(secret: string): FoundKey {
  if (typeof secret !== 'string' || secret.trim() === '')
    throw bad(
      'secret',
      'is empty. Set it from the environment (JWT_SECRET, for example), at least 32 random bytes',
    );
  // With a public key as its "secret" a server takes tokens that anybody can sign.
  if (secret.includes('-----BEGIN')) throw bad('secret', 'is a PEM key. Give a public key as jwt.publicKey');
  const bytes = Buffer.byteLength(secret);
  return {
    key: createSecretKey(Buffer.from(secret)),
    fit: SECRET_ALGORITHMS,
    usual: ['HS256'],
    ...(bytes < SAFE_SECRET_BYTES
      ? {
          warning: `jwt.secret has ${bytes} bytes. Anybody who guesses it can be any user: take 32 random bytes or more before production.`,
        }
      : {}),
  };
}

function fromPem(publicKey: string): FoundKey {
  if (typeof publicKey !== 'string' || publicKey.includes('PRIVATE KEY'))
    throw bad('publicKey', 'must be the public key, not the private one. Keep that where tokens are made');
  let key: KeyObject;
  try {
    key = createPublicKey(publicKey);
  } catch (cause) {
    throw bad('publicKey', 'must be a PEM text (-----BEGIN PUBLIC KEY-----, with its line breaks)', cause);
  }
  const fit = algorithmsOf(key);
  const [first] = fit;
  if (first === undefined)
    throw bad('publicKey', `is of a kind that no JWT algorithm here uses. Give RSA or EC P-256/384/521`);
  return { key, fit, usual: [first] };
}

export function algorithmsOf({
  asymmetricKeyType,
  asymmetricKeyDetails,
}: KeyObject): readonly JwtAlgorithm[] {
  if (asymmetricKeyType === 'ec') {
    const curve = asymmetricKeyDetails?.namedCurve ?? '';
    return curve in EC_ALGORITHMS ? [EC_ALGORITHMS[curve as keyof typeof EC_ALGORITHMS]] : [];
  }
  if (asymmetricKeyType !== 'rsa' && asymmetricKeyType !== 'rsa-pss') return [];
  if ((asymmetricKeyDetails?.modulusLength ?? 0) < SAFE_RSA_BITS)
    throw bad('publicKey', `is an RSA key below ${SAFE_RSA_BITS} bits. Make a longer one`);
  return asymmetricKeyType === 'rsa' ? RSA_ALGORITHMS : PSS_ALGORITHMS;
}

function fromUrl(uri: string | undefined): FoundKey {
  const url = URL.canParse(uri ?? '') ? new URL(uri ?? '') : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
    throw bad('jwksUri', 'must be the https URL of a JSON Web Key Set');
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  return {
    key: url,
    fit: KEY_SET_ALGORITHMS,
    usual: ['RS256', 'ES256'],
    ...(url.protocol === 'http:' && !local
      ? {
          warning:
            'jwt.jwksUri is plain http. Anybody on the network path can put other keys there: use https.',
        }
      : {}),
  };
}

/** An empty name would switch the check off without a word (an unset variable, for example). */
function names(option: string, value: string | readonly string[] | undefined): string[] | undefined {
  if (value === undefined) return undefined;
  const list = typeof value === 'string' ? [value] : [...value];
  if (list.length === 0 || list.some((name) => typeof name !== 'string' || name === ''))
    throw bad(option, 'must not be empty. Leave it out to accept any');
  return list;
}

function bad(option: string, message: string, cause?: unknown): SyncError {
  const path = option === '' ? 'jwt' : `jwt.${option}`;
  return new SyncError('configuration', `SyncModule: option ${path} ${message}.`, { path, cause });
}
