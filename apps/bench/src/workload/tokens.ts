import { createHmac, randomBytes } from 'node:crypto';

const LIFETIME_SECONDS = 8 * 3600;

/** Signs the devices' tokens (HS256) with a secret that lives as long as the run. */
export class Tokens {
  readonly secret = randomBytes(32).toString('base64url');

  /** The value of the Authorization header. */
  bearer(scope: string, user = 'device'): string {
    return `Bearer ${this.sign(scope, user)}`;
  }

  sign(scope: string, user = 'device'): string {
    const exp = Math.floor(Date.now() / 1000) + LIFETIME_SECONDS;
    const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ user_id: user, business_id: scope, exp })}`;
    return `${signed}.${createHmac('sha256', this.secret).update(signed).digest('base64url')}`;
  }
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
