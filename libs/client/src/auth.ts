import { isObject } from 'nest-offline-sync-protocol';
import { AuthError } from './errors.ts';

/** Why a token is asked for: none is there, the one at hand is about to end, or the server refused it. */
export type TokenReason = 'first' | 'expiring' | 'refused';

/** Whose data a database holds. */
export interface Identity {
  readonly scope: string;
  readonly actor: string;
}

export interface AuthOptions {
  /** Gives an access token. Called when one is needed, at most once at a time. A failure means: none just now. */
  readonly token: (ask: { readonly reason: TokenReason }) => Promise<string> | string;
  /** Whose token it is. Default: its claim `user_id`, as scope and as actor. */
  readonly identity?: (claims: Readonly<Record<string, unknown>>) => Identity;
}

const EXPIRING_MS = 60_000;

/** The token at hand. It lives in memory only; it is taken when a request is sent, never earlier. */
export class Auth {
  private current: string | undefined;
  private asking: Promise<string> | undefined;
  private endAsking: ((reason: AuthError) => void) | undefined;
  private owner: Identity | undefined;
  private wasRefused = false;

  constructor(
    private readonly options: AuthOptions,
    /** The server's clock, as well as it is known. */
    readonly serverNow: () => number,
    /** Calls `auth.token` when no other tab does: two that renew a token at once log the user out. */
    private readonly exclusively: (call: () => Promise<unknown>) => Promise<unknown> = (call) => call(),
  ) {}

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

  /** @throws AuthError if the token does not tell */
  identityOf(token: string): Identity {
    const claims = claimsOf(token);
    if (!claims)
      throw new AuthError(
        'The token is no JWT. Give auth.identity to createSyncClient, which says whose it is.',
      );
    if (this.options.identity) return this.options.identity(claims);
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
    let token: unknown;
    try {
      token = await this.exclusively(async () => this.options.token({ reason }));
    } catch (error) {
      throw new AuthError(
        'The app gave no token (auth.token of createSyncClient failed); it is asked again later.',
        error,
      );
    }
    if (typeof token !== 'string' || token === '')
      throw new AuthError(
        'auth.token of createSyncClient gave no text. It has to give an access token, or throw.',
      );
    const { owner } = this;
    const of = owner && this.identityOf(token);
    if (of && (of.scope !== owner.scope || of.actor !== owner.actor))
      throw new AuthError(
        'auth.token of createSyncClient gave a token of another user. Call logout() or close(), then open().',
      );
    return token;
  }
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
