import { createHmac, createSign, type KeyObject } from 'node:crypto';

/** A JWT made by hand, so that tests can make the bad ones too. Times are seconds since 1970. */
export interface TestToken {
  readonly header?: Record<string, unknown>;
  readonly payload: unknown;
  /** HMAC secret, private key, or undefined for an empty signature. */
  readonly key?: string | Buffer | KeyObject;
}

export function testToken({ header = { alg: 'HS256', typ: 'JWT' }, payload, key }: TestToken): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${signature(signed, key)}`;
}

function signature(signed: string, key: TestToken['key']): string {
  if (key === undefined) return '';
  if (typeof key === 'string' || Buffer.isBuffer(key))
    return createHmac('sha256', key).update(signed).digest('base64url');
  const signer = createSign('sha256').update(signed);
  return key.asymmetricKeyType === 'ec'
    ? signer.sign({ key, dsaEncoding: 'ieee-p1363' }, 'base64url')
    : signer.sign(key, 'base64url');
}

export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}
