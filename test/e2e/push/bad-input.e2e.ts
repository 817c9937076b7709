import { gzipSync } from 'node:zlib';
import { MARK, useUnharmedApp, YEAR_2999 } from '../../support/bad-input-app';
import { SECRET, upsert, type HttpAnswer } from '../../support/http-app';
import { inSeconds, testToken } from '../../support/jwt';

const good = upsert('notes', 'good', { n: 1 });
const envelope = (more: object): string => JSON.stringify({ client_id: 'c', changes: [good], ...more });

function refused(answer: HttpAnswer, status: number, code: string, where: RegExp): void {
  expect(answer).toMatchObject({ status, body: { statusCode: status, code } });
  expect((answer.body as { message: string }).message).toMatch(where);
}

describe('a bad push', () => {
  const given = useUnharmedApp(__filename);

  it.each<[what: string, body: string, where: RegExp]>([
    ['a list', '[]', /body must be/],
    ['nothing', '', /client_id must/],
    ['no client_id', envelope({ client_id: undefined }), /client_id must/],
    ['a number for client_id', envelope({ client_id: 7 }), /client_id must/],
    ['an operator for client_id', envelope({ client_id: { $ne: 1 } }), /client_id must/],
    ['a NUL in client_id', envelope({ client_id: 'a\0' }), /client_id must/],
    ['a lone surrogate in client_id', envelope({ client_id: '\ud800' }), /client_id must/],
    ['a client_id of 10 kB', envelope({ client_id: MARK.repeat(1280) }), /client_id must .* 128 bytes/],
    ['no changes', envelope({ changes: undefined }), /changes must be an array/],
    ['empty changes', envelope({ changes: [] }), /changes must .* at least one/],
    ['an object for changes', envelope({ changes: { 0: good } }), /changes must be an array/],
    ['a bad atomic', envelope({ atomic: MARK }), /atomic must be "batch"/],
  ])('is refused with %s', async (_what, body, where) => {
    refused(await given().device.send('/sync/push', body), 400, 'malformed_request', where);
  });

  it('is refused with more changes than one may hold', async () => {
    const body = envelope({ changes: Array(10_000).fill(good) });
    refused(await given().device.send('/sync/push', body), 413, 'too_many_changes', /at most 1000/);
  });

  // The host's body parser answers these, before there is a route.
  it.each<[what: string, headers: Record<string, string>, body: string | Buffer, status: number]>([
    ['malformed JSON', {}, `{"client_id":"${MARK}`, 400],
    ['a text', {}, `"${MARK}"`, 400],
    ['null', {}, 'null', 400],
    ['9 MB', {}, envelope({ padding: 'x'.repeat(9 << 20) }), 413],
    ['a body of another type', { 'content-type': 'text/plain' }, envelope({}), 400],
    ['an unknown charset', { 'content-type': 'application/json; charset=utf-99' }, envelope({}), 415],
    ['an unknown encoding', { 'content-encoding': 'zip' }, envelope({}), 415],
    ['gzip that is none', { 'content-encoding': 'gzip' }, envelope({}), 400],
    [
      'a small body that unzips to 20 MB',
      { 'content-encoding': 'gzip' },
      gzipSync(envelope({ pad: ' '.repeat(20 << 20) })),
      413,
    ],
  ])('is refused with %s', async (_what, more, body, status) => {
    const { app, device } = given();
    const headers = { authorization: `Bearer ${device.token}`, 'content-type': 'application/json', ...more };
    const answer = await app.send('/sync/push', {
      method: 'POST',
      body: new Uint8Array(Buffer.from(body)),
      headers,
    });
    expect(answer).toMatchObject({ status, body: { statusCode: status } });
  });
});

describe('a bad read', () => {
  const given = useUnharmedApp(`${__filename}-read`);

  it.each(['-1', '0', '1001', '1e3', 'x', '1.5', '99999999999999999999', 'Infinity', '%00'])(
    'of the log is refused with limit=%s',
    async (limit) => {
      const answer = await given().device.send(`/sync/pull?limit=${limit}`);
      refused(answer, 400, 'invalid_limit', /limit .* from 1 to 1000/);
    },
  );

  it.each(['-1', '10001', 'x', 'NaN', '0x10'])('of everything is refused with limit=%s', async (limit) => {
    const answer = await given().device.send(`/sync/full?limit=${limit}`);
    refused(answer, 400, 'invalid_limit', /limit .* from 0 to 10000/);
  });

  it.each([
    'x',
    '0',
    '%00',
    '20260502T120000.000Z',
    '20260502T120000.000Z-0001-%00',
    '%FF',
    'a'.repeat(4000),
  ])('is refused with since=%.40s', async (since) => {
    const answer = await given().device.send(`/sync/pull?since=${since}`);
    refused(answer, 400, 'invalid_cursor', /since .* last_seq/);
  });

  it.each(['x', 'e30', 'bnVsbA', '%00', '%F0%9F', 'A'.repeat(8000)])(
    'is refused with cursor=%.40s',
    async (cursor) => {
      const answer = await given().device.send(`/sync/full?cursor=${cursor}`);
      refused(answer, 400, 'invalid_cursor', /cursor .* X-Sync-Cursor/);
    },
  );

  it.each([
    ['pull?since[$gt]=', 'malformed_request', /since/],
    ['pull?since=a&since=b', 'malformed_request', /since .* once/],
    ['pull?limit=1&limit=2', 'malformed_request', /limit .* once/],
    ['pull?collections[$ne]=x', 'malformed_request', /collections/],
    ['full?cursor[__proto__]=x', 'malformed_request', /cursor/],
    ['pull?collections=nowhere', 'unknown_collection', /nowhere/],
    ['pull?collections=notes,sync_heads', 'unknown_collection', /sync_heads/],
    ['full?collections=__proto__', 'unknown_collection', /__proto__/],
  ])('is refused with %s', async (path, code, where) => {
    refused(await given().device.send(`/sync/${path}`), 400, code, where);
  });

  it('with a cursor of the year 2999 or of another scope asks for a full resync, and says no more', async () => {
    const { device, other } = given();
    const { last_seq } = await other.pull();
    const answers = [];
    for (const since of [YEAR_2999, last_seq]) answers.push(await device.send(`/sync/pull?since=${since}`));
    expect(answers[0]?.body).toEqual({
      full_resync_required: true,
      collections: ['tasks', 'notes'],
      reason: 'unknown_cursor',
    });
    expect(answers[1]?.text).toBe(answers[0]?.text);
  });

  it("of another scope's page is refused as any other bad cursor is", async () => {
    const { device, other } = given();
    const page = (await other.send('/sync/full?limit=1')).headers.get('x-sync-cursor') ?? '';
    expect(page).not.toBe('');
    const garbage = await device.send('/sync/full?cursor=x');
    expect((await device.send(`/sync/full?cursor=${page}`)).text).toBe(garbage.text);
  });
});

describe('a bad token', () => {
  const given = useUnharmedApp(`${__filename}-token`);
  const payload = { iss: 'https://id.example', user_id: MARK, business_id: 'a', exp: inSeconds(60) };
  const tokens: [what: string, token: string, status: number][] = [
    ['that has expired', testToken({ payload: { ...payload, exp: inSeconds(-60) }, key: SECRET }), 401],
    ['without signature', testToken({ payload }), 401],
    ['with alg none', testToken({ header: { alg: 'none' }, payload }), 401],
    [
      'of another issuer',
      testToken({ payload: { ...payload, iss: 'https://evil.example' }, key: SECRET }),
      401,
    ],
    ['of another secret', testToken({ payload, key: `${SECRET}!` }), 401],
    ['without scope', testToken({ payload: { ...payload, business_id: undefined }, key: SECRET }), 403],
    [
      'with an object as scope',
      testToken({ payload: { ...payload, business_id: { $ne: 1 } }, key: SECRET }),
      403,
    ],
    ['that is none', MARK, 401],
  ];

  it.each(tokens)('%s opens no route', async (_what, token, status) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    for (const [path, body] of [['push', envelope({})], ['pull'], ['full']] as const) {
      const answer = await given().app.send(`/sync/${path}`, {
        headers,
        ...(body === undefined ? {} : { method: 'POST', body }),
      });
      expect(answer).toMatchObject({ status, body: { statusCode: status } });
      expect(answer.text).not.toContain(MARK);
    }
  });
});
