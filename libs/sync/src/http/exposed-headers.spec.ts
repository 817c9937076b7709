import { IncomingMessage, ServerResponse, type OutgoingHttpHeaders } from 'node:http';
import { Socket } from 'node:net';
import { exposeHeaders, exposing } from './exposed-headers';

const OURS = 'X-Sync-LastSeq, X-Sync-Cursor, Retry-After';

describe('the headers that pages of other origins may read', () => {
  it.each<[string, OutgoingHttpHeaders[string], boolean, string]>([
    ['nothing', undefined, false, OURS],
    ['an empty text', '', false, OURS],
    ['names', 'X-Total, ETag', false, `X-Total, ETag, ${OURS}`],
    ['a list', ['X-Total', 'ETag,Link'], true, `X-Total, ETag, Link, ${OURS}`],
    [
      'ours, written otherwise',
      'x-sync-cursor,RETRY-AFTER',
      false,
      'x-sync-cursor, RETRY-AFTER, X-Sync-LastSeq',
    ],
    ['a star', '*', false, '*'],
    ['a star with credentials, where it stands for nothing', '*', true, `*, ${OURS}`],
  ])('are added to %s', (_what, said, credentials, all) => {
    expect(exposing(said, credentials)).toBe(all);
    expect(exposing(all, credentials)).toBe(all);
  });

  const answer = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));
  it.each<[string, (response: ServerResponse) => void]>([
    ['before', (response) => response.setHeader('access-control-expose-headers', 'X-Total')],
    ['between', () => undefined],
  ])('are added to what was said %s, once', (when, before) => {
    const response = answer();
    before(response);
    exposeHeaders(response);
    if (when === 'between') response.setHeader('Access-Control-Expose-Headers', 'X-Total');
    exposeHeaders(response);
    response.writeHead(200, 'OK');
    expect(response.getHeader('access-control-expose-headers')).toBe(`X-Total, ${OURS}`);
  });

  it('are added to what comes with the status', () => {
    const response = answer();
    exposeHeaders(response);
    response.writeHead(503, { 'access-control-expose-headers': 'X-Total', 'content-type': 'text/plain' });
    expect(response.getHeader('access-control-expose-headers')).toBe(`X-Total, ${OURS}`);
    expect(response.getHeader('content-type')).toBe('text/plain');
  });
});
