import { isObject } from 'nest-offline-sync-protocol';
import { AuthError, ClientError, ConfigurationError } from './errors.ts';
import type { Environment } from './environment.ts';
import { NO_TOKEN, type Failure } from './rules/failure.ts';
import type { Tell, TokenReason } from './telemetry.ts';

/** Whose data a database holds. */
export interface Identity {
  readonly scope: string;
  readonly actor: string;
}

export interface AuthOptions {
  /**
   * Gives an access token: a JWT. Called when one is needed, at most once at a time, and given up after a minute. If it fails, the device
   * counts as offline, and it is called again later; right after the server has refused a token, only a TypeError means that, as `fetch`
   * throws it without network. Throw an {@link AuthError} when the user has to log in.
   */
  readonly token: (ask: { readonly reason: TokenReason }) => Promise<string> | string;
  /** Whose token it is: two texts. Default: its claim `user_id`, as scope and as actor. */
  readonly identity?: (claims: Readonly<Record<string, unknown>>) => Identity;
}

export interface AuthPorts {
  readonly place: Pick<Environment, 'now' | 'timer'>;
  /** The server's clock, as well as it is known. */
  readonly serverNow: () => number;
  readonly tell: Tell;
}

const EXPIRING_MS = 60_000;
const LATE_MS = 60_000;

/** The token at hand. It lives in memory only; it is taken when a request is sent, never earlier. */
export class Auth {
  private current: string | undefined;
  private asking: Promise<string> | undefined;
  private endAsking: ((reason: AuthError) => void) | undefined;
  private owner: Identity | undefined;
  private wasRefused = false;

  constructor(
    private readonly options: AuthOptions,
    private readonly ports: AuthPorts,
    /** Calls `auth.token` when no other tab does: two that renew a token at once log the user out. */
    private readonly exclusively: (call: () => Promise<unknown>) => Promise<unknown> = (call) => call(),
  ) {}

  serverNow(): number {
    return this.ports.serverNow();
  }

  /** @throws AuthError if the app has none */
  async token(): Promise<string> {
    const { current } = this;
    if (current !== undefined && !this.isExpiring(current)) return current;
    return this.ask(this.wasRefused ? 'refused' : current === undefined ? 'first' : 'expiring');
  }

  /** The server refused this one: the next call asks for another. */
  refused(token: string): void {
    if (token !== this.current) return;
    this.current = undefined;
    this.wasRefused = true;
  }

  /** From now on only tokens of this user are used (C8). */
  belongTo(owner: Identity): void {
    this.owner = owner;
  }

  /** The user leaves: no token of theirs is used any more, also not the one that is being asked for. */
  forget(): void {
    this.current = this.asking = this.owner = undefined;
    this.wasRefused = false;
    this.endAsking?.(new AuthError('The user has left.'));
  }

  /** When the token at hand ends, by the server's clock; undefined if it does not say. */
  expiresAt(): number | undefined {
    const exp = this.current === undefined ? undefined : claimsOf(this.current)?.['exp'];
    return typeof exp === 'number' ? exp * 1_000 : undefined;
  }

  /**
   * @throws AuthError if the token does not tell
   * @throws ConfigurationError for an answer of `auth.identity` that is none
   */
  identityOf(token: string): Identity {
    const claims = claimsOf(token);
    if (!claims)
      throw new AuthError('auth.token gave no JWT, so nobody can tell whose token it is. Give a JWT.');
    if (this.options.identity) return ownerOf(this.options.identity, claims);
    const id = claims['user_id'];
    if (typeof id !== 'string' && typeof id !== 'number')
      throw new AuthError(
        'The token has no claim user_id. Give auth.identity to createSyncClient, which says whose it is.',
      );
    return { scope: String(id), actor: String(id) };
  }

  private isExpiring(token: string): boolean {
    const exp = claimsOf(token)?.['exp'];
    return typeof exp === 'number' && exp * 1_000 - this.serverNow() < EXPIRING_MS;
  }

  private ask(reason: TokenReason): Promise<string> {
    if (this.asking) return this.asking;
    const left = new Promise<never>((_, reject) => (this.endAsking = reject));
    const asking = Promise.race([left, this.fetched(reason)]).then((token) => {
      if (this.asking !== asking) throw new AuthError('The user has left.');
      this.current = token;
      this.wasRefused = false;
      return token;
    });
    const isOver = (): void => {
      if (this.asking === asking) this.asking = undefined;
    };
    asking.then(isOver, isOver);
    return (this.asking = asking);
  }

  private async fetched(reason: TokenReason): Promise<string> {
    const token = await this.called(reason);
    const { owner } = this;
    const of = owner && this.identityOf(token);
    if (of && (of.scope !== owner.scope || of.actor !== owner.actor))
      throw new AuthError(
        'auth.token of createSyncClient gave a token of another user. Call logout() or close(), then open().',
      );
    return token;
  }

  private async called(reason: TokenReason): Promise<string> {
    const { ports, options } = this;
    const { place } = ports;
    let [began, isGiven] = [place.now(), false];
    try {
      const token: unknown = await this.exclusively(() => {
        began = place.now();
        return inTime(place, async () => options.token({ reason }));
      });
      // What cannot stand in a header would look like a network that is gone.
      if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
        throw new AuthError('auth.token gave no token. It has to give a text without spaces, or throw.');
      isGiven = true;
      return token;
    } catch (error) {
      if (error instanceof AuthError) throw error;
      const isPassing = reason !== 'refused' || error instanceof TypeError;
      throw new AuthError(
        'auth.token failed, so there is no token now. It is called again.',
        error,
        isPassing,
      );
    } finally {
      ports.tell({ type: 'token', reason, isGiven, ms: place.now() - began });
    }
  }
}

/** Fails as without network if it takes too long: nothing waits for ever. */
function inTime<T>(place: AuthPorts['place'], call: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = place.timer(LATE_MS, () => reject(new TypeError('It took longer than a minute.')));
    call().then(resolve, reject).finally(end);
  });
}

function ownerOf(
  identity: NonNullable<AuthOptions['identity']>,
  claims: Readonly<Record<string, unknown>>,
): Identity {
  let owner: unknown;
  let cause: unknown;
  try {
    owner = identity(claims);
  } catch (error) {
    cause = error;
  }
  const { scope, actor } = isObject(owner) ? owner : {};
  if (typeof scope !== 'string' || typeof actor !== 'string' || scope === '' || actor === '')
    throw new ConfigurationError(
      'auth.identity',
      'auth.identity has to give { scope, actor }, two texts that are not empty, for each token. Look at the claims that it reads.',
      cause,
    );
  return { scope, actor };
}

/** What having no token means for what was to be asked. */
export function tokenFailure(error: unknown): Failure {
  const isPassing = error instanceof AuthError && error.isPassing;
  const message = error instanceof ClientError ? error.message : 'auth.token failed.';
  return { kind: isPassing ? 'transient' : 'auth', code: NO_TOKEN, message, retryAfterMs: 0 };
}

/** The claims of a JWT, not verified; undefined if it is none. */
export function claimsOf(token: string): Readonly<Record<string, unknown>> | undefined {
  const [, payload] = token.split('.');
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(utf8(base64url(payload)));
    return isObject(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function base64url(text: string): number[] {
  const bytes: number[] = [];
  let [bits, count] = [0, 0];
  for (const char of text.replace(/=+$/, '').replace(/\+/g, '-').replace(/\//g, '_')) {
    bits = ((bits << 6) | DIGITS.indexOf(char)) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push((bits >> count) & 0xff);
  }
  return bytes;
}

function utf8(bytes: readonly number[]): string {
  return decodeURIComponent(bytes.map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''));
}
