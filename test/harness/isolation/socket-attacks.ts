import * as fc from 'fast-check';
import { authorization, BAD_TOKENS } from './attacks';
import { collectionNames, oddJson, pushBody, versions } from './hostile-json';
import { COLLECTIONS } from './world';

/** A frame with ⟦names⟧ in its text. */
export interface FrameStep {
  readonly opcode: number;
  readonly fin: boolean;
  readonly rsv: number;
  readonly masked: boolean;
  readonly text: string;
  /** How often the text is repeated: for messages beyond the limit. */
  readonly times: number;
}

/** One socket of B's. */
export interface SocketStep {
  readonly target: string;
  readonly headers: readonly string[];
  readonly frames: readonly FrameStep[];
  /** All frames at once, with nothing in between: what is answered depends on time, so it is not compared. */
  readonly atOnce: boolean;
}

const among = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);
const badJwt = fc.constantFrom(...BAD_TOKENS).map((name) => `"⟦jwt.${name}⟧"`);
const quotedVersion = versions.map((version) => `"${version}"`);

const optional = (name: string, values: fc.Arbitrary<string>, freq: number): fc.Arbitrary<string> =>
  fc.option(values, { nil: '', freq }).map((value) => (value === '' ? '' : `,"${name}":${value}`));

const subscribe = fc
  .tuple(
    optional('token', fc.oneof({ weight: 8, arbitrary: fc.constant('"⟦jwt.good⟧"') }, { weight: 1, arbitrary: badJwt }), 8),
    fc.oneof(
      { weight: 5, arbitrary: optional('since', fc.oneof({ weight: 4, arbitrary: quotedVersion }, { weight: 1, arbitrary: oddJson }), 1) },
      { weight: 1, arbitrary: optional('since_seq', fc.oneof({ weight: 4, arbitrary: fc.nat(12).map(String) }, { weight: 1, arbitrary: oddJson }), 4) },
    ),
    optional(
      'collections',
      fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(...COLLECTIONS).map((name) => `["${name}"]`) },
        { weight: 2, arbitrary: collectionNames.map((names) => JSON.stringify(names)) },
        { weight: 1, arbitrary: oddJson },
      ),
      1,
    ),
    fc.oneof(
      { weight: 8, arbitrary: fc.constant('') },
      { weight: 1, arbitrary: among('"⟦A.scope⟧"', '"⟦B.scope⟧"', '["⟦A.scope⟧"]', '{"$ne":1}').map((scope) => `,"scope_id":${scope}`) },
    ),
    fc.oneof(
      { weight: 8, arbitrary: fc.constant('') },
      { weight: 2, arbitrary: among('"⟦A.scope⟧"', '"⟦B.scope⟧"', '"⟦B.scope⟧"', '"nowhere"', '["⟦A.scope⟧"]', '""').map((scope) => `,"scope":${scope}`) },
    ),
    optional('ack', fc.oneof({ weight: 6, arbitrary: fc.constant('true') }, { weight: 1, arbitrary: oddJson }), 3),
    fc.oneof({ weight: 12, arbitrary: fc.constant('') }, { weight: 1, arbitrary: among(',"__proto__":{"token":"⟦jwt.none-a⟧"}', ',"identity":{"scopeId":"⟦A.scope⟧"}', ',"type":"token"') }),
  )
  .map((fields) => `{"type":"subscribe"${fields.join('')}}`); // prettier-ignore

const message = fc.oneof(
  { weight: 12, arbitrary: subscribe },
  { weight: 2, arbitrary: badJwt.map((jwt) => `{"type":"token","token":${jwt}}`) },
  { weight: 1, arbitrary: fc.constant('{"type":"token","token":"⟦jwt.good⟧"}') },
  { weight: 2, arbitrary: among('{"type":"unsubscribe"}', '{"type":"unsubscribe","scope":"⟦A.scope⟧"}', '{"type":"pong"}') },
  { weight: 1, arbitrary: oddJson },
  { weight: 1, arbitrary: oddJson.map((odd) => `{"type":${odd}}`) },
  { weight: 1, arbitrary: among('', '{', '{"type":"ping","last_seq":"⟦A.version.3⟧"}', '{"type":"push","changes":[]}', '{"event":"subscribe","data":{"token":"⟦jwt.good⟧"}}') },
); // prettier-ignore

const frame: fc.Arbitrary<FrameStep> = fc.oneof(
  {
    weight: 12,
    arbitrary: message.map((text) => ({ opcode: 1, fin: true, rsv: 0, masked: true, text, times: 1 })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      opcode: fc.constantFrom(0, 1, 2, 3, 7, 8, 9, 10, 11, 15),
      fin: fc.boolean(),
      rsv: fc.constantFrom(0, 0, 0, 1, 4, 7),
      masked: fc.constantFrom(true, true, true, false),
      text: fc.oneof(message, among('\u0003\u00e8', 'x')),
      times: fc.constantFrom(1, 1, 1, 2_000),
    }),
  },
);

const one = fc.record({
  target: fc.oneof(
    { weight: 12, arbitrary: fc.constant('/sync/stream') },
    {
      weight: 1,
      arbitrary: among(
        '/sync/stream?token=⟦jwt.none-a⟧', '/sync/stream?token=⟦jwt.good⟧', '/sync/stream?token=⟦jwt.good⟧&token=⟦jwt.none-a⟧', '/sync/stream?scope_id=⟦A.scope⟧&token=⟦jwt.good⟧',
        '/sync/stream/⟦A.scope⟧', '/sync/pull', '/', '/sync/stream?', '/sync/../sync/stream', '/SYNC/STREAM', '/sync/stream?token=%00', '/sync/stream?token=%', '//sync/stream', '/sync/stream#x',
      ),
    },
  ),
  headers: fc.oneof(
    { weight: 6, arbitrary: fc.constant<string[]>([]) },
    { weight: 2, arbitrary: authorization },
    { weight: 1, arbitrary: fc.constantFrom(['Origin: https://evil.example'], ['Sec-WebSocket-Protocol: ⟦A.scope⟧'], ['Sec-WebSocket-Extensions: permessage-deflate'], ['Cookie: token=⟦jwt.none-a⟧'], ['X-Forwarded-For: 127.0.0.1']) },
  ),
  frames: fc.array(frame, { minLength: 1, maxLength: 4 }),
  atOnce: fc.boolean(),
}); // prettier-ignore

/** Sockets that B has open at the same time. */
export const sockets: fc.Arbitrary<SocketStep[]> = fc.array(one, { minLength: 4, maxLength: 10 });

const pushId = fc.oneof(
  { weight: 9, arbitrary: among('1', '2', '"a"', '"⟦A.mutation.0⟧"', '"__proto__"') },
  { weight: 1, arbitrary: oddJson },
);

/** Pushes that B sends over a socket, one after the other's answer: the bodies of HTTP with an id. */
export const socketPushes: fc.Arbitrary<string[]> = fc.array(
  fc
    .tuple(pushId, pushBody)
    .map(([id, body]) => (body.startsWith('{"') ? `{"type":"push","id":${id},${body.slice(1)}` : body)),
  { minLength: 4, maxLength: 12 },
);
