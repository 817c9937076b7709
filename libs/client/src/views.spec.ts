import fc from 'fast-check';
import type { JsonObject } from 'nest-offline-sync-protocol';
import { runs } from '../../../test/support/runs.ts';
import { collection, createSyncClient, inc, memory } from './index.ts';
import { sameJson } from './rules/fields.ts';
import { FakeServer, FaultyNetwork, VirtualTime } from './testing/index.ts';

/** Random runs of one device, which log everything that its user is shown. */

interface Item {
  n?: number;
  title?: string;
}
const ID = 'i';

function device() {
  const time = new VirtualTime();
  const server = new FakeServer({ collections: ['items'], now: () => time.now, pageSize: 2 });
  const network = new FaultyNetwork(server);
  server.edit('ann', 'items', ID, { n: 0, title: 'first' });
  for (const other of ['a', 'b', 'j', 'k']) server.edit('ann', 'items', other, { n: 1 });
  const disk = memory();
  const views: (Item | null)[] = [];
  const made = () =>
    createSyncClient({
      url: 'https://shop.example/sync',
      storage: disk,
      auth: { token: () => server.token('ann') },
      collections: { items: collection<Item>() },
      environment: {
        ...time.environment(),
        fetch: network.fetch,
        socket: network.socket,
      },
    });
  const show = (row: (Item & { readonly _id?: unknown }) | undefined): Item | null => {
    if (!row) return null;
    const { _id, ...item } = row;
    return item;
  };
  let client = made();
  const watch = (): void => {
    client.db.items.live().subscribe(({ rows }) => {
      const row = rows.find(({ _id }) => _id === ID);
      // Nothing is shown before there is anything.
      if (row && !sameJson(views.at(-1) as JsonObject, show(row) as JsonObject)) views.push(show(row));
    });
  };
  watch();
  return {
    time,
    server,
    network,
    views,
    client: () => client,
    view: async () => show(await client.db.items.get(ID)),
    restart: async () => {
      await client.close();
      client = made();
      watch();
      await client.open();
    },
  };
}

type Device = ReturnType<typeof device>;

/** What goes on around an edit: answers that come late or never, entries that come before them, loads from the beginning. */
const TROUBLE: Readonly<Record<string, (one: Device) => unknown>> = {
  moment: ({ time }) => time.pass(30),
  second: ({ time }) => time.pass(1_000),
  minutes: ({ time }) => time.pass(65_000),
  late: ({ network }) => network.next('stall'),
  lateSecond: ({ network }) => network.next('pass', 'stall'),
  flow: ({ network }) => network.flow(),
  lost: ({ network }) => network.next('drop'),
  cut: ({ network }) => network.cutSockets(),
  restart: ({ server }) => server.closeSockets(),
  offline: ({ network }) => network.offline(),
  online: ({ network }) => network.online(),
  ping: ({ server }) => server.ping(),
  load: ({ server }) => {
    server.trim('ann');
    server.closeSockets();
  },
  elsewhere: ({ server, time }) => server.edit('ann', 'items', 'k', { n: time.now }),
  reopen: ({ restart }) => restart(),
  pause: ({ client }) => client().pause(),
  resume: ({ client }) => client().resume(),
};

async function play(
  one: Device,
  steps: readonly string[],
  edits: Readonly<Record<string, (one: Device) => unknown>>,
) {
  await one.client().open();
  await one.time.pass(1_000);
  for (const step of steps) {
    await until(one, (edits[step] ?? TROUBLE[step])?.(one));
  }
  one.network.online();
  await until(one, one.client().resume());
  for (let round = 0; round < 3; round++) {
    one.network.flow();
    await one.time.pass(65_000);
  }
}

/** Who pauses or closes waits for answers that are on their way. */
async function until({ time, network }: Device, work: unknown): Promise<void> {
  let isOver = false;
  const done = Promise.resolve(work).finally(() => (isOver = true));
  for (let turn = 0; !isOver; turn++) {
    await time.pass(turn < 10 ? 0 : 1_000);
    if (turn > 5) network.flow();
  }
  await done;
}

const steps = (edits: object) =>
  fc.array(fc.constantFrom(...Object.keys(edits), ...Object.keys(edits), ...Object.keys(TROUBLE)), {
    minLength: 5,
    maxLength: 25,
  });

it('C6: no older state is shown after a newer one, in whatever order answers and entries come', async () => {
  const edits: Readonly<Record<string, (one: Device) => unknown>> = {
    adds: ({ client }) => client().db.items.patch(ID, { n: inc(1) }),
    sets: ({ client }) => client().db.items.patch(ID, ({ n = 0 }) => ({ n: n + 1 })),
    replaces: async ({ client, view }) => {
      const now = await view();
      await client().db.items.upsert(ID, { ...now, n: (now?.n ?? 0) + 1 });
    },
    transacts: ({ client }) =>
      client().transaction(async ({ items }) => {
        await items.patch(ID, { n: inc(1) });
        await items.upsert('j', { n: 5 });
      }),
  };
  await fc.assert(
    fc.asyncProperty(steps(edits), async (all) => {
      const one = device();
      await play(one, all, edits);
      const counts = one.views.map((view) => view?.n ?? -1);
      expect(counts).toEqual([...counts].sort((a, b) => a - b));
      const made = all.filter((step) => step in edits).length;
      expect(counts.at(-1)).toBe(made);
      expect(one.client().status.current).toMatchObject({ pending: 0, rejected: 0 });
      expect(one.server.document('ann', 'items', ID)?.data).toMatchObject({ n: made });
      await until(one, one.client().close());
    }),
    runs(25),
  );
});
