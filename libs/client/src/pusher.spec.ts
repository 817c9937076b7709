import { ClientDevice, type DeviceOptions } from '../../../test/support/fleet-client.ts';
import { FleetServer } from '../../../test/support/fleet-server.ts';
import { tokenFor } from '../../../test/support/fleet-token.ts';
import { collection } from './index.ts';
import { VirtualTime } from './testing/index.ts';

const START = Date.UTC(2026, 4, 2);
const MINUTE = 60_000;
const collections = { items: collection<{ title: string }>() };

async function device(options: DeviceOptions = {}) {
  const time = new VirtualTime(START);
  const rules = { strategy: 'last-writer-wins', deleteUpdatePolicy: 'resurrect_on_update' } as const;
  const server = new FleetServer(START, new Map([['items', { rules }]]));
  const one = new ClientDevice('one', server, time, collections, options);
  await one.client.open();
  await time.pass(MINUTE);
  const ids = Array.from({ length: 9 }, (_, index) => `i${String(index)}`);
  const edits = async () => {
    one.blocked.add('push');
    for (const _id of ids) await one.client.db.items.create({ _id, title: _id });
    one.blocked.delete('push');
  };
  const stored = () => [...server.documents().keys()].map((key) => key.split('/')[1]);
  return { time, server, one, client: one.client, ids, edits, stored };
}

type Body = { changes: { doc_id: string }[] };
const sends = (body: unknown, id: string): boolean =>
  (body as Body).changes.some((each) => each.doc_id === id);
const refusal = (status: number, body: object | string = 'no') => ({
  status,
  headers: {},
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

it.each([413, 400])('sends fewer at a time if %d is the answer, until all is there', async (status) => {
  const { time, server, client, ids, edits, stored } = await device();
  server.intercept = (path, body) =>
    path === 'push' && (body as Body).changes.length > 2 ? refusal(status) : undefined;
  await edits();
  await time.pass(10 * MINUTE);
  expect(stored().sort()).toEqual(ids);
  expect(client.status.current).toMatchObject({ pending: 0, rejected: 0 });
});

it('gives what is too large even alone to the user, and takes the rest', async () => {
  const { time, server, client, ids, edits, stored } = await device();
  server.intercept = (path, body) => (path === 'push' && sends(body, 'i4') ? refusal(413) : undefined);
  await edits();
  await time.pass(10 * MINUTE);
  expect(stored().sort()).toEqual(ids.filter((id) => id !== 'i4'));
  expect(await client.rejected.list()).toMatchObject([
    { code: 'transport_refused', changes: [{ id: 'i4' }] },
  ]);
});

it('goes on without the one that the server fails at, and tries that again an hour later', async () => {
  const { time, server, client, ids, edits, stored } = await device();
  server.intercept = (path, body) => (path === 'push' && sends(body, 'i4') ? refusal(500) : undefined);
  await edits();
  await time.pass(30 * MINUTE);
  expect(stored().sort()).toEqual(ids.filter((id) => id !== 'i4'));
  expect(client.status.current).toMatchObject({ pending: 1, rejected: 0 });
  server.intercept = undefined;
  await client.db.items.create({ _id: 'new', title: 'new' });
  await time.pass(MINUTE);
  expect(stored()).toContain('new');
  await time.pass(60 * MINUTE);
  expect(stored()).toContain('i4');
  expect(client.status.current).toMatchObject({ pending: 0, phase: 'polling' });
});

it('asks for another token when the server refuses one, and drops nothing while there is none', async () => {
  const asked: string[] = [];
  let isGood = true;
  const { time, server, one, client, ids, edits, stored } = await device({
    token: ({ reason }) => {
      asked.push(reason);
      if (!isGood) throw new Error('signed out');
      return tokenFor('A');
    },
  });
  expect(asked).toEqual(['first']);
  server.intercept = () => refusal(401, { code: 'unauthenticated', message: 'expired' });
  await edits();
  await time.pass(5 * MINUTE);
  expect(asked.slice(1)).toContain('refused');
  expect(client.status.current).toMatchObject({
    phase: 'blocked',
    blockedBy: 'auth',
    pending: ids.length,
    rejected: 0,
  });
  isGood = false;
  await time.pass(5 * MINUTE);
  expect(one.client.status.current).toMatchObject({
    phase: 'blocked',
    blockedBy: 'auth',
    pending: ids.length,
  });
  isGood = true;
  server.intercept = undefined;
  await time.pass(2 * MINUTE);
  expect(stored().sort()).toEqual(ids);
});

it.each([5, 20])('waits as long as the server asks for: %d minutes', async (minutes) => {
  const { time, server, one, client, edits } = await device();
  server.intercept = (path) =>
    path === 'push'
      ? {
          ...refusal(503, { code: 'busy', message: 'later' }),
          headers: { 'retry-after': String(minutes * 60) },
        }
      : undefined;
  await edits();
  await time.pass(10_000);
  const pushes = (): number => one.requests.filter((path) => path === 'push').length;
  const before = pushes();
  await time.pass((minutes - 1) * MINUTE);
  expect(pushes()).toBe(before);
  expect(client.status.current.error).toMatchObject({ code: 'busy' });
  server.intercept = undefined;
  await time.pass(2 * MINUTE);
  expect(client.status.current).toMatchObject({ pending: 0 });
});
