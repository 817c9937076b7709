import { createHmac } from 'node:crypto';
import { forged, unsigned } from './forged';

const signed = [{ alg: 'HS256' }, { user: 'ann' }]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.');

describe('a forged token', () => {
  it('has the claims, and never the bytes of the signature', () => {
    for (let key = 0; key < 200; key++) {
      const signature = createHmac('sha256', String(key)).update(signed).digest('base64url');
      const [header, claims, other] = forged(`${signed}.${signature}`).split('.');
      expect(`${header!}.${claims!}`).toBe(signed);
      expect(Buffer.from(other!, 'base64url')).not.toEqual(Buffer.from(signature, 'base64url'));
    }
  });

  it('is another text where the token is no JWT', () => {
    expect(forged('opaque')).not.toBe('opaque');
  });

  it('without a signature says so in its header', () => {
    const [header, claims, signature] = unsigned(`${signed}.abc`).split('.');
    expect(JSON.parse(Buffer.from(header!, 'base64url').toString())).toMatchObject({ alg: 'none' });
    expect([claims, signature]).toEqual([signed.split('.')[1], '']);
  });
});
