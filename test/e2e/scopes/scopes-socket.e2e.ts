import { testDatabase } from '../../support/database';
import { Memberships } from '../../support/memberships';
import { startStreamApp, type StreamApp } from '../../support/stream-app';
import { eventually, upTo, type Received, type StreamClient } from '../../support/stream-client';

const database = testDatabase(__filename);
let stream: StreamApp;
let members: Memberships;
let runs = 0;
/** Of this test: the actor and the own scope, and two scopes of others. */
let actor: string;
let own: string;
let red: string;
let blue: string;

beforeAll(async () => {
  members = new Memberships();
  stream = await startStreamApp({
    uri: database.uri,
    options: { scopes: members, pingIntervalMs: 1_000, limits: { maxSubscriptions: 60 } },
  });
});
beforeEach(() => {
  runs += 1;
  [actor, own, red, blue] = [
    `u${String(runs)}`,
    `own${String(runs)}`,
    `red${String(runs)}`,
    `blue${String(runs)}`,
  ];
  members.set(actor, red, 'read');
  members.set(actor, blue, 'write');
});
afterEach(() => stream.hangUp());
afterAll(() => stream.app.close());

const token = (): string => stream.token({ business_id: own, user_id: actor });
async function open(): Promise<StreamClient> {
  return stream.connect(`/sync/stream?token=${token()}`);
}
const subscribe = async (
  client: StreamClient,
  scope: string | undefined,
  more: object = {},
): Promise<void> => {
  const before = client.ofType('subscribed').length;
  client.say({ type: 'subscribe', ack: true, ...(scope === undefined ? {} : { scope }), ...more });
  await client.until('subscribed', before + 1);
};
/** The entries by scope, as a client sorts them by the messages before them. */
function sorted({ messages }: StreamClient): Map<string, number[]> {
  const seqs = new Map<string, number[]>();
  let scope = '';
  for (const message of messages) {
    if (message.type === 'scope') scope = String(message['scope']);
    if (message.type !== undefined) continue;
    seqs.set(scope, [...(seqs.get(scope) ?? []), Number(message.seq)]);
  }
  return seqs;
}
const has = (client: StreamClient, scope: string, last: number): Promise<void> =>
  eventually(
    `entry ${String(last)} of ${scope}; ${JSON.stringify([...sorted(client)])}`,
    () => (sorted(client).get(scope)?.at(-1) ?? 0) >= last,
  );

describe('a socket with several subscriptions', () => {
  it('gets the entries of each scope in order, and is told of which scope they are', async () => {
    for (const scope of [own, red, blue]) await stream.push(scope, ['tasks', 'notes', 'tasks']);
    const client = await open();
    for (const scope of [own, red, blue]) await subscribe(client, scope);
    for (const scope of [own, red, blue]) await has(client, scope, 3);
    for (let n = 4; n <= 8; n++) for (const scope of [blue, own, red]) await stream.push(scope, ['tasks']);
    for (const scope of [own, red, blue]) await has(client, scope, 8);
    expect(Object.fromEntries(sorted(client))).toEqual({ [own]: upTo(8), [red]: upTo(8), [blue]: upTo(8) });
    expect(client.ofType('subscribed').map((message) => message['scope'])).toEqual([own, red, blue]);
    const rows = await stream.oplog.entries.find({ scope: { $in: [own, red, blue] } }).toArray();
    expect([...client.texts].sort()).toEqual(rows.map(({ wire }) => wire).sort());
    expect(marks(client)).toBe(true);
  });

  it('is told once for a run, and a client that has named no scope not at all', async () => {
    const plain = await open();
    const naming = await open();
    await subscribe(plain, undefined);
    await subscribe(naming, red);
    for (const scope of [own, red]) await stream.push(scope, ['tasks', 'notes', 'tasks', 'notes']);
    await plain.untilSeq(4);
    await has(naming, red, 4);
    expect(naming.ofType('scope')).toEqual([{ type: 'scope', scope: red }]);
    const ping = await plain.until('ping', plain.ofType('ping').length + 1);
    expect(Object.keys(ping).sort()).toEqual(['last_seq', 'seq', 'server_time', 'type']);
    expect(plain.ofType('subscribed')[0]).not.toHaveProperty('scope');
    expect(plain.ofType('scope')).toEqual([]);
  });

  it('replaces and ends each of them alone', async () => {
    const client = await open();
    for (const scope of [own, red, blue]) await subscribe(client, scope);
    client.say({ type: 'unsubscribe', scope: red });
    client.say({ type: 'unsubscribe', scope: 'never-subscribed' });
    await subscribe(client, blue, { collections: ['notes'] });
    await subscribe(client, undefined, { collections: ['tasks'] });
    for (const scope of [own, red, blue]) await stream.push(scope, ['tasks', 'notes', 'orders']);
    await has(client, own, 1);
    await has(client, blue, 2);
    await subscribe(client, red);
    await has(client, red, 3);
    expect(Object.fromEntries(sorted(client))).toEqual({ [own]: [1], [blue]: [2], [red]: [1, 2, 3] });
  });

  it('has one subscription of its own scope, whether that is named or not', async () => {
    const client = await open();
    // All at once, before anybody knows which scope is its own.
    client.say({ type: 'subscribe', scope: own, collections: ['tasks'] });
    client.say({ type: 'subscribe', collections: ['notes'] });
    client.say({ type: 'subscribe', scope: own, collections: ['orders'] });
    await subscribe(client, red);
    await stream.push(own, ['tasks', 'notes', 'orders']);
    await has(client, own, 3);
    expect(sorted(client).get(own)).toEqual([3]);
    client.say({ type: 'unsubscribe' });
    await subscribe(client, blue);
    await stream.push(own, ['orders']);
    await stream.push(blue, ['orders']);
    await has(client, blue, 1);
    expect(sorted(client).get(own)).toEqual([3]);
  });

  it('ends what it ends at once, whatever was still under way', async () => {
    const client = await open();
    for (let n = 0; n < 5; n++) {
      client.say({ type: 'subscribe', scope: red });
      client.say({ type: 'unsubscribe', scope: red });
    }
    client.say({ type: 'subscribe', scope: red, collections: ['notes'] });
    client.say({ type: 'subscribe', scope: red, collections: ['tasks'] });
    await subscribe(client, blue);
    await stream.push(red, ['notes', 'tasks']);
    await has(client, red, 2);
    expect(sorted(client).get(red)).toEqual([2]);
  });

  it('can come back to each scope with what its pings said', async () => {
    const client = await open();
    for (const scope of [own, red]) await subscribe(client, scope, { collections: ['notes'] });
    await stream.push(own, ['notes', 'tasks']);
    await stream.push(red, ['tasks', 'tasks', 'tasks']);
    const stands = (message: Received | undefined): Record<string, { seq: number; last_seq: string }> =>
      (message?.['scopes'] ?? {}) as never;
    const latest = (): Received | undefined => client.ofType('ping').at(-1);
    await eventually('pings that tell of both', () => {
      const { [own]: a, [red]: b } = stands(latest());
      return a?.seq === 2 && b?.seq === 3;
    });
    expect(latest()).toMatchObject({ seq: 2, last_seq: stands(latest())[own]?.last_seq });
    const again = await open();
    await subscribe(again, red, { since: stands(latest())[red]?.last_seq });
    await stream.push(red, ['notes']);
    await has(again, red, 4);
    expect(sorted(again).get(red)).toEqual([4]);
  });

  it('loads one scope again, and goes on with the others', async () => {
    const client = await open();
    for (const scope of [own, blue]) await subscribe(client, scope);
    client.say({ type: 'subscribe', scope: red, since: '20200101T000000.000Z-0000-other' });
    const resync = await client.until('full_resync_required');
    expect(resync).toMatchObject({ scope: red, reason: 'unknown_cursor' });
    await stream.push(own, ['tasks']);
    await stream.push(blue, ['tasks']);
    await has(client, own, 1);
    await has(client, blue, 1);
    await subscribe(client, red);
    await stream.push(red, ['tasks']);
    await has(client, red, 1);
    expect(client.closeCode).toBeUndefined();
  });

  it('closes for a full resync of a client that has named no scope, as ever', async () => {
    const client = await open();
    client.say({ type: 'subscribe', since: '20200101T000000.000Z-0000-other' });
    const resync = await client.until('full_resync_required');
    expect(resync).not.toHaveProperty('scope');
    expect(await client.untilClosed()).toBe(1000);
  });

  it('is refused one scope, existing or not, and keeps the others', async () => {
    await stream.push('closed', ['tasks']);
    const client = await open();
    await subscribe(client, red);
    for (const [index, scope] of ['closed', 'never-written'].entries()) {
      client.say({ type: 'subscribe', scope });
      const { message, ...error } = await client.until('error', index + 1);
      expect(error).toEqual({ type: 'error', scope, code: 'scope_forbidden', path: 'scope' });
      expect(message).toBe(client.ofType('error')[0]?.['message']);
    }
    client.say({ type: 'subscribe', scope: blue, collections: ['nothing'] });
    expect(await client.until('error', 3)).toMatchObject({ scope: blue, code: 'unknown_collection' });
    await stream.push(red, ['tasks']);
    await has(client, red, 1);
    expect(client.closeCode).toBeUndefined();
  });

  it.each([42, true, {}, ['a'], '', ' ', 'a\0b', 'x'.repeat(10_240)])(
    'closes for the scope %j',
    async (scope) => {
      for (const type of ['subscribe', 'unsubscribe']) {
        const client = await open();
        client.say({ type, scope });
        expect(await client.until('error')).toMatchObject({ code: 'malformed_request', path: 'scope' });
        expect(await client.untilClosed()).toBe(4400);
      }
    },
  );
});

describe('many subscriptions on one socket', () => {
  const scopes = (count: number): string[] => Array.from({ length: count }, (_, n) => `${red}-${String(n)}`);

  it('are taken at once up to their limit, and no further one', async () => {
    const all = scopes(62);
    for (const scope of all) members.set(actor, scope, 'read');
    const client = await open();
    for (const scope of all) client.say({ type: 'subscribe', scope, ack: true });
    await client.until('subscribed', 60);
    await client.until('error', 2);
    for (const error of client.ofType('error'))
      expect(error).toMatchObject({
        code: 'too_many_subscriptions',
        scope: expect.stringMatching(/-6[01]$/) as string,
      });
    // Replacing one of them is no further one.
    await subscribe(client, all[3]);
    for (const scope of all.slice(0, 60)) await stream.push(scope, ['tasks', 'tasks']);
    for (const scope of all.slice(0, 60)) await has(client, scope, 2);
    expect(client.closeCode).toBeUndefined();
  });

  it('by the thousand close the socket', async () => {
    const client = await open();
    for (let n = 0; n < 1_000; n++) client.say({ type: 'subscribe', scope: `${blue}-${String(n)}` });
    expect(await client.untilClosed()).toBe(4429);
  });

  it('give a slow reader everything of each scope, in turn', async () => {
    const all = scopes(8);
    for (const scope of all) {
      members.set(actor, scope, 'read');
      await stream.push(
        scope,
        Array.from({ length: 100 }, () => 'tasks'),
        'x'.repeat(10_000),
      );
    }
    const client = await open();
    client.socket.pause();
    for (const scope of all) client.say({ type: 'subscribe', scope });
    for (const scope of all) await stream.push(scope, ['notes', 'tasks'], 'x'.repeat(10_000));
    client.socket.resume();
    for (const scope of all) await has(client, scope, 102);
    for (const scope of all) expect(sorted(client).get(scope)).toEqual(upTo(102));
    // None of them has waited for the end of another one.
    const firsts = all.map((scope) => client.messages.findIndex((message) => message['scope'] === scope));
    const entries = client.messages.slice(0, Math.max(...firsts)).filter(({ type }) => type === undefined);
    expect(entries.length).toBeLessThan(all.length * 102);
  });
});

/** Whether a mark stands before every entry of another scope, and before no other. */
function marks({ messages }: StreamClient): boolean {
  let said: unknown;
  for (const [index, { type, scope }] of messages.entries()) {
    if (type !== 'scope') continue;
    if (scope === said || messages[index + 1]?.type !== undefined) return false;
    said = scope;
  }
  return said !== undefined;
}
