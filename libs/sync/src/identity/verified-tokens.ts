import { hash } from 'node:crypto';
import { isObject } from '../protocol/json';

interface Verified {
  /** The payload's JSON: each request gets an object of its own. */
  readonly payload: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** What a token has proved to be, for as long as that holds: so that it is not verified with each request anew. */
export class VerifiedTokens {
  /** By the token's hash: no token is kept. The oldest first. */
  private readonly known = new Map<string, Verified>();

  /** @param limit tokens at the most; the oldest is forgotten then */
  constructor(private readonly limit: number) {}

  /** The payload of a token that was verified before and has not expired. */
  get(token: string, nowMs: number): unknown {
    const key = keyOf(token);
    const found = this.known.get(key);
    if (!found) return undefined;
    if (nowMs < found.until) return JSON.parse(found.payload);
    this.known.delete(key);
    return undefined;
  }

  /** Keeps a verified token's payload up to its `exp`. */
  keep(token: string, payload: unknown, nowMs: number): void {
    const { exp } = isObject(payload) ? payload : {};
    const until = typeof exp === 'number' ? exp * 1000 : Infinity;
    if (!(until > nowMs)) return;
    const [oldest] = this.known.size < this.limit ? [] : this.known.keys();
    if (oldest !== undefined) this.known.delete(oldest);
    this.known.set(keyOf(token), { payload: JSON.stringify(payload), until });
  }
}

function keyOf(token: string): string {
  return hash('sha256', token, 'base64');
}
