import { createPublicKey, KeyObject } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { isObject, SyncError } from 'nest-offline-sync-protocol';
import { loadJwksClient } from '../options/optional-peers';
import { algorithmsOf, type JwtVerification } from './jwt.options';

/** No more fetches for unknown key ids than one in this time, whatever tokens arrive. Milliseconds. */
const REFETCH_PAUSE_MS = 3_000;
/** A set is fetched again after this: a key that was taken away counts no longer than that. Milliseconds. */
const KEPT_MS = 600_000;
const FETCH_TIMEOUT_MS = 5_000;

/** Finds the key that a token has to be verified with. */
export type KeyLookup = (token: string) => Promise<KeyObject>;

/**
 * The one configured key, or the one of the key set that the token's header names. The set is kept, and fetched again
 * after ten minutes and when a token names a key that it does not have (rotation).
 *
 * The lookup throws SyncError `unauthenticated` when there is no such key, `unavailable` when the set is out of reach:
 * a client must not throw its token away because of that.
 *
 * @throws SyncError `configuration` when a key set needs jwks-rsa and that is not installed
 */
export function keyLookup({ key, algorithms }: Pick<JwtVerification, 'key' | 'algorithms'>): KeyLookup {
  if (key instanceof KeyObject) return () => Promise.resolve(key);
  const logger = new Logger('SyncModule');
  const keySet = new KeySet(key);
  let reachable = true;
  return async (token) => {
    const header = headerOf(token);
    // Before any fetch: a token that is refused anyway must not cause one.
    if (!algorithms.some((name) => name === header.alg))
      throw new SyncError(
        'unauthenticated',
        'The token is signed with an algorithm that this server does not accept.',
      );
    const found = await keySet.find(header).catch((error: unknown) => {
      if (reachable) logger.error(`The key set at ${key.origin} cannot be read: ${String(error)}`);
      reachable = false;
      throw new SyncError('unavailable', 'Tokens cannot be verified at the moment. Try again shortly.', {
        retryAfterSeconds: 5,
        cause: error,
      });
    });
    reachable = true;
    if (found) return found;
    throw new SyncError('unauthenticated', 'The token names no key that this server trusts.');
  };
}

interface TokenHeader {
  readonly alg?: string;
  readonly kid?: string;
}

interface PublishedKey {
  readonly kid: string | undefined;
  readonly algorithms: readonly string[];
  readonly key: KeyObject;
}

/**
 * A JSON Web Key Set as jwks-rsa reads it, kept as a whole. The cache and the rate limit of jwks-rsa work by key id:
 * there, tokens with invented ids keep a known key that has become old, and a new one, from being fetched.
 */
class KeySet {
  private readonly client: { getSigningKeys(): Promise<JwksKey[]> };
  private keys: readonly PublishedKey[] = [];
  private fetchedAt = -Infinity;
  private fetching: Promise<void> | undefined;

  constructor(url: URL) {
    const JwksClient = loadJwksClient();
    this.client = new JwksClient({ jwksUri: url.href, fetcher: fetchKeys, cache: false });
  }

  /** @returns undefined when there is no such key, or several could be meant */
  async find(header: TokenHeader): Promise<KeyObject | undefined> {
    if (this.age > KEPT_MS) await this.fetch();
    const found = this.match(header);
    if (found || this.age < REFETCH_PAUSE_MS) return found;
    await this.fetch();
    return this.match(header);
  }

  private get age(): number {
    return performance.now() - this.fetchedAt;
  }

  private match({ alg = '', kid }: TokenHeader): KeyObject | undefined {
    const fit = this.keys.filter(
      (key) => key.algorithms.includes(alg) && (kid === undefined || key.kid === kid),
    );
    return fit.length === 1 ? fit[0]?.key : undefined;
  }

  /** One at a time, for all who ask. */
  private fetch(): Promise<void> {
    return (this.fetching ??= this.read().finally(() => (this.fetching = undefined)));
  }

  private async read(): Promise<void> {
    const keys = await this.client.getSigningKeys();
    this.keys = keys.flatMap((key) => published(key));
    this.fetchedAt = performance.now();
  }
}

interface JwksKey {
  readonly kid?: string;
  readonly alg?: string;
  getPublicKey(): string;
}

/** A key that no accepted algorithm can use (too short, another kind) is left out: the others of the set go on. */
function published(jwk: JwksKey): PublishedKey[] {
  try {
    const key = createPublicKey(jwk.getPublicKey());
    const algorithms = algorithmsOf(key).filter((name) => jwk.alg === undefined || jwk.alg === name);
    return [{ kid: jwk.kid, algorithms, key }];
  } catch {
    return [];
  }
}

/** By `fetch`, with a limit for the whole answer: jwks-rsa's own request waits for ever for the rest of half a body. */
async function fetchKeys(uri: string): Promise<{ keys: unknown[] }> {
  const response = await fetch(uri, {
    headers: { accept: 'application/json' },
    redirect: 'manual',
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  });
  if (response.status !== 200) throw new Error(`its server answers ${response.status}`);
  const set: unknown = await response.json();
  if (isObject(set) && Array.isArray(set['keys'])) return { keys: set['keys'] };
  throw new Error('its answer is no JSON Web Key Set');
}

function headerOf(token: string): TokenHeader {
  try {
    const [part = ''] = token.split('.', 1);
    const header: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    if (!isObject(header)) throw new TypeError('no object');
    const { alg, kid } = header;
    return { ...(typeof alg === 'string' ? { alg } : {}), ...(typeof kid === 'string' ? { kid } : {}) };
  } catch {
    throw new SyncError('unauthenticated', 'The bearer token is not a valid JWT.');
  }
}
