import { randomBytes } from 'node:crypto';
import { secretsIn } from './leaks';

describe('secretsIn', () => {
  const secret = `scope-${randomBytes(9).toString('hex')}`;
  const other = randomBytes(9).toString('hex');
  const version = '20260101T000000.000Z-0003-n1';
  const secrets = [secret, other, version];
  const base64 = (text: string): string => Buffer.from(text).toString('base64');

  it.each([
    ['as text', `{"message":"x${secret}y"}`],
    ['in capitals', secret.toUpperCase()],
    ['next to other digits', `00${other}${secret}00`],
    ['in base64', `X-Sync-Cursor: ${base64(`{"scope":"${secret}"}`)}`],
    ['in base64 behind something', `abc${base64(`xx${secret}`)}`],
    ['in base64url', Buffer.from(`??>>${secret}`).toString('base64url')],
    ['in hex', `id=${Buffer.from(secret).toString('hex')}`],
  ])('finds a secret %s', (_how, text) => {
    expect(secretsIn(Buffer.from(text), secrets)).toContain(secret);
  });

  it('finds versions, and nothing in what is harmless', () => {
    expect(secretsIn(Buffer.from(`{"version":"${version}"}`), secrets)).toEqual([version]);
    expect(
      secretsIn(Buffer.from(`20260101T000000.000Z-0004-n1 ${randomBytes(40).toString('hex')}`), secrets),
    ).toEqual([]);
  });
});
