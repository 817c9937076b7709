import fc from 'fast-check';
import '../../../test/support/runs';
import { SyncError, type ErrorCode } from './errors.ts';
import {
  closeFor,
  errorText,
  fullResyncText,
  parseClientMessage,
  pingText,
  scopeLostText,
  scopeText,
  STREAM_CLOSE,
  subscribedText,
} from './stream.ts';

const VERSION = '20260502T120000.000Z-0001-a1b2';

function refusal(text: string): SyncError {
  try {
    parseClientMessage(text);
  } catch (error) {
    if (error instanceof SyncError) return error;
    throw error;
  }
  throw new Error('was taken');
}

describe('messages of a client', () => {
  it('reads the message of a client written for the original', () => {
    const text = `{"type":"subscribe","since":"${VERSION}","collections":["tasks"],"token":"t","scope_id":"b1"}`;
    expect(parseClientMessage(text)).toEqual({
      type: 'subscribe',
      since: VERSION,
      collections: ['tasks'],
      token: 't',
      scopeId: 'b1',
      ack: false,
    });
  });

  it('takes no cursor, a blank one and the zero stamp for the beginning, and no collections for all', () => {
    expect(parseClientMessage('{"type":"subscribe","since_seq":7}')).toMatchObject({ since: 7 });
    for (const since of [undefined, null, '', '19700101T000000.000Z-0000']) {
      const message = parseClientMessage(JSON.stringify({ type: 'subscribe', since, collections: [] }));
      expect(message).toMatchObject({ since: undefined, collections: undefined });
    }
  });

  it('reads fresh credentials, an end of the subscription and the answer to a ping', () => {
    expect(parseClientMessage('{"type":"token","token":"fresh","more":1}')).toEqual({
      type: 'token',
      token: 'fresh',
    });
    for (const type of ['unsubscribe', 'pong'])
      expect(parseClientMessage(JSON.stringify({ type, since: 1 }))).toEqual({ type });
  });

  it('reads the scope that a message names, and none where it names none', () => {
    for (const type of ['subscribe', 'unsubscribe']) {
      expect(parseClientMessage(JSON.stringify({ type, scope: 'team' }))).toMatchObject({
        type,
        scope: 'team',
      });
      for (const scope of [undefined, null])
        expect(parseClientMessage(JSON.stringify({ type, scope }))).toMatchObject({ scope: undefined });
    }
  });

  it('reads a push with its id, and leaves its body to the check of pushes', () => {
    for (const id of ['a', 'x'.repeat(128), 0, -7, 2 ** 53 - 1]) {
      const body = { type: 'push', id, client_id: 5, changes: 'none' };
      expect(parseClientMessage(JSON.stringify(body))).toEqual({ type: 'push', id, body });
    }
  });

  it('takes blank and null fields for missing ones, and an acknowledgement where it is asked for', () => {
    for (const none of [undefined, null, '']) {
      const text = JSON.stringify({ type: 'subscribe', token: none, scope_id: none, ack: none || null });
      expect(parseClientMessage(text)).toMatchObject({ token: undefined, scopeId: undefined, ack: false });
    }
    expect(parseClientMessage('{"type":"subscribe","ack":true}')).toMatchObject({ ack: true });
    expect(parseClientMessage('{"type":"subscribe","ack":false}')).toMatchObject({ ack: false });
    expect(refusal('{"type":"token","token":""}').path).toBe('token');
  });

  it.each([
    ['', 'malformed_request', undefined],
    ['nonsense', 'malformed_request', undefined],
    ['[]', 'malformed_request', undefined],
    ['null', 'malformed_request', undefined],
    ['{}', 'malformed_request', 'type'],
    ['{"type":"SUBSCRIBE"}', 'malformed_request', 'type'],
    ['{"type":["subscribe"]}', 'malformed_request', 'type'],
    ['{"type":"subscribe","since":"yesterday"}', 'invalid_cursor', 'since'],
    ['{"type":"subscribe","since":"20261301T000000.000Z-0000-a"}', 'invalid_cursor', 'since'],
    ['{"type":"subscribe","since":12}', 'malformed_request', 'since'],
    ['{"type":"subscribe","since_seq":-1}', 'invalid_cursor', 'since_seq'],
    ['{"type":"subscribe","since_seq":1.5}', 'invalid_cursor', 'since_seq'],
    ['{"type":"subscribe","since_seq":[1]}', 'malformed_request', 'since_seq'],
    [`{"type":"subscribe","since_seq":1,"since":"${VERSION}"}`, 'malformed_request', 'since_seq'],
    ['{"type":"subscribe","collections":{"a":1}}', 'malformed_request', 'collections'],
    ['{"type":"subscribe","collections":[1]}', 'malformed_request', 'collections'],
    ['{"type":"subscribe","token":{}}', 'malformed_request', 'token'],
    ['{"type":"subscribe","scope_id":7}', 'malformed_request', 'scope_id'],
    ['{"type":"subscribe","ack":"yes"}', 'malformed_request', 'ack'],
    ['{"type":"subscribe","scope":7}', 'malformed_request', 'scope'],
    ['{"type":"subscribe","scope":""}', 'malformed_request', 'scope'],
    ['{"type":"unsubscribe","scope":["a"]}', 'malformed_request', 'scope'],
    ['{"type":"token"}', 'malformed_request', 'token'],
    ['{"type":"push","changes":[]}', 'malformed_request', 'id'],
    ['{"type":"push","id":null}', 'malformed_request', 'id'],
    ['{"type":"push","id":""}', 'malformed_request', 'id'],
    ['{"type":"push","id":"\\ud800"}', 'malformed_request', 'id'],
    ['{"type":"push","id":1.5}', 'malformed_request', 'id'],
    ['{"type":"push","id":9007199254740992}', 'malformed_request', 'id'],
    ['{"type":"push","id":["a"]}', 'malformed_request', 'id'],
    [`{"type":"push","id":"${'é'.repeat(65)}"}`, 'malformed_request', 'id'],
  ])('refuses %s', (text, code, path) => {
    const error = refusal(text);
    expect({ code: error.code, path: error.path }).toEqual({ code, path });
    expect(closeFor(error)).toBe('bad_message');
  });

  it('meets any text with a message or a SyncError', () => {
    const anything = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({
          type: fc.constantFrom('subscribe', 'unsubscribe', 'token', 'push', 'pong'),
          scope: fc.anything(),
          since: fc.anything(),
          id: fc.anything(),
          token: fc.anything(),
        })
        .map((value) => {
          try {
            return JSON.stringify(value);
          } catch {
            return '';
          }
        }),
    );
    fc.assert(
      fc.property(anything, (text) => {
        try {
          parseClientMessage(text);
        } catch (error) {
          expect(error).toBeInstanceOf(SyncError);
        }
      }),
    );
  });
});

describe('messages of the server', () => {
  it('carries a cursor in a ping only when there is one', () => {
    expect(pingText(undefined)).toBe('{"type":"ping"}');
    expect(pingText({ version: VERSION, seq: 4 })).toBe(`{"type":"ping","last_seq":"${VERSION}","seq":4}`);
  });

  it('tells a client that names scopes which one each message is about', () => {
    const at = { version: VERSION, seq: 4 };
    const stands = `{"last_seq":"${VERSION}","seq":4}`;
    expect(pingText(undefined, [])).toBe('{"type":"ping","scopes":{}}');
    expect(
      pingText(at, [
        ['own', at],
        ['__proto__', at],
      ]),
    ).toBe(
      `{"type":"ping","last_seq":"${VERSION}","seq":4,"scopes":{"own":${stands},"__proto__":${stands}}}`,
    );
    expect(subscribedText(['a'], undefined, 'team')).toBe(
      '{"type":"subscribed","scope":"team","collections":["a"]}',
    );
    expect(fullResyncText(['a'], 'too_old', 'team')).toBe(
      '{"type":"full_resync_required","scope":"team","collections":["a"],"reason":"too_old"}',
    );
    expect(errorText(new SyncError('forbidden', 'No.'), 'team')).toBe(
      '{"type":"error","scope":"team","code":"forbidden","message":"No."}',
    );
    expect(scopeText('team')).toBe('{"type":"scope","scope":"team"}');
    expect(scopeLostText('team')).toBe('{"type":"scope_lost","scope":"team"}');
  });

  it('leaves out what it does not know', () => {
    expect(subscribedText(['a'], undefined)).toBe('{"type":"subscribed","collections":["a"]}');
    expect(subscribedText(['a'], VERSION)).toBe(
      `{"type":"subscribed","collections":["a"],"last_seq":"${VERSION}"}`,
    );
    expect(subscribedText(['a'], 7)).toBe('{"type":"subscribed","collections":["a"],"seq":7}');
    expect(errorText(new SyncError('invalid_cursor', 'No.', { path: 'since' }))).toBe(
      '{"type":"error","code":"invalid_cursor","message":"No.","path":"since"}',
    );
    expect(errorText(new SyncError('forbidden', 'No.'))).toBe(
      '{"type":"error","code":"forbidden","message":"No."}',
    );
  });

  it('names the collections and the reason of a full resync', () => {
    expect(fullResyncText(['a', 'b'], 'too_old')).toBe(
      '{"type":"full_resync_required","collections":["a","b"],"reason":"too_old"}',
    );
  });

  it.each<[ErrorCode, number]>([
    ['malformed_request', 4400],
    ['unknown_collection', 4400],
    ['unauthenticated', 4401],
    ['forbidden', 4403],
    ['scope_missing', 4403],
    ['scope_forbidden', 4403],
    ['too_many_subscriptions', 4429],
    ['payload_too_large', 1009],
    ['unavailable', 1013],
    ['shutting_down', 1012],
    ['internal', 1011],
    ['configuration', 1011],
  ])('closes after %s with %i', (code, close) => {
    expect(STREAM_CLOSE[closeFor(new SyncError(code, ''))]).toBe(close);
  });
});
