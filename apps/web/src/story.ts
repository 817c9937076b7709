import { inc, type Row, type Status } from 'nest-offline-sync-client';
import type { Device } from './device.ts';
import type { View } from './phone.tsx';
import { placeOrder, type Order } from './shop.ts';

/** One thing that the phones show. The chapters are those of the tour in the terminal. */
export interface Chapter {
  readonly title: string;
  /** What happens, and what to look at. */
  readonly text: string;
  /** The list that both phones show. */
  readonly view: View;
  readonly steps: readonly Step[];
  /** What has just been seen. */
  readonly moral: string;
}

export interface Step {
  readonly label: string;
  readonly run: (alice: Device, bob: Device) => Promise<void>;
}

const BUNS = 'caf000000000000000000003';

const switchBoth =
  (online: boolean): Step['run'] =>
  async (alice, bob) => {
    alice.network.online = bob.network.online = online;
    if (online) await Promise.all([quiet(alice), quiet(bob)]);
  };

export const STORY: readonly Chapter[] = [
  {
    title: 'Live',
    text: 'Alice adds a task. Bob’s phone shows it at once, over the socket.',
    view: 'Tasks',
    steps: [
      {
        label: 'Alice adds a task',
        run: async (alice) => {
          await alice.client.db.tasks.create({ title: `Buy oranges, ${clock()}`, done: false });
        },
      },
    ],
    moral:
      'The edit was on Alice’s phone before the server knew of it. Then it was in the log, and on Bob’s.',
  },
  {
    title: 'Offline, and both edits stay',
    text: 'Both phones lose the network. Alice renames a task, Bob ticks off the same one.',
    view: 'Tasks',
    steps: [
      { label: 'Both go offline', run: switchBoth(false) },
      {
        label: 'Both edit the same task',
        run: async (alice, bob) => {
          const [task] = await alice.client.db.tasks.find({ orderBy: 'title', limit: 1 });
          if (!task) return;
          await alice.client.db.tasks.patch(task._id, {
            title: `${task.title.replace(/ \(.*/, '')} (by ${clock()})`,
          });
          await bob.client.db.tasks.patch(task._id, { done: !task.done });
        },
      },
      { label: 'Both go online', run: switchBoth(true) },
    ],
    moral: 'Merged field by field: the title of one, the tick of the other.',
  },
  {
    title: 'One shelf, two sellers',
    text: 'Offline again. Each sells one cinnamon bun from the same shelf.',
    view: 'Stock',
    steps: [
      { label: 'Both go offline', run: switchBoth(false) },
      {
        label: 'Each sells one',
        run: async (alice, bob) => {
          await alice.client.db.inventory_items.patch(BUNS, { quantity: inc(-1) });
          await bob.client.db.inventory_items.patch(BUNS, { quantity: inc(-1) });
        },
      },
      { label: 'Both go online', run: switchBoth(true) },
    ],
    moral: 'Two fewer, on both phones. What travelled was “one less”, not “eleven are left”.',
  },
  {
    title: 'A person decides',
    text: 'Alice sends an order off while Bob, offline, cancels it. That cannot be merged.',
    view: 'Orders',
    steps: [
      {
        label: 'Bob goes offline, both decide',
        run: async (alice, bob) => {
          const order = (await openOrder(bob)) ?? (await newOrder(alice, bob));
          bob.network.online = false;
          await bob.client.db.orders.patch(order._id, { state: 'cancelled' });
          await alice.client.db.orders.patch(order._id, {
            state: order.state === 'placed' ? 'packed' : 'sent',
          });
          await quiet(alice);
        },
      },
      { label: 'Bob goes online', run: switchBoth(true) },
    ],
    moral: 'Bob’s change was refused, and is kept on his phone, with both sides, until he decides.',
  },
  {
    title: 'A lost phone',
    text: 'Alice gets a new phone: press “A new phone for Alice” below. It loads everything, then follows.',
    view: 'Tasks',
    steps: [],
    moral: 'And a phone of another business, the button next to it, sees nothing of this one.',
  },
];

const OPEN = {
  where: { state: { in: ['placed', 'packed'] } },
  orderBy: 'placedAt',
  limit: 1,
} as const;

async function openOrder({ client }: Device): Promise<Row<Order> | undefined> {
  return (await client.db.orders.find(OPEN))[0];
}

/** From the counter, when none is left of the last time. Resolves when both phones have it. */
async function newOrder(alice: Device, bob: Device): Promise<Row<Order>> {
  const arrivals = [alice, bob].map(
    ({ client }) =>
      new Promise<void>((resolve) => {
        const end = client.db.orders.live(OPEN).subscribe(({ rows }) => {
          if (rows.length === 0) return;
          end();
          resolve();
        });
      }),
  );
  await placeOrder(bob.holder.user, bob.holder.business, BUNS);
  await Promise.all(arrivals);
  const order = await openOrder(bob);
  if (!order) throw new Error('Somebody else has taken the order. Try again.');
  return order;
}

/** Waits until a phone has sent everything and follows. */
async function quiet({ client }: Device): Promise<void> {
  const isQuiet = ({ phase, pending }: Status): boolean => phase === 'live' && pending === 0;
  if (isQuiet(client.status.current)) return;
  await new Promise<void>((resolve) => {
    const end = client.status.subscribe((status) => {
      if (!isQuiet(status)) return;
      end();
      resolve();
    });
  });
}

function clock(): string {
  return new Date().toLocaleTimeString('en-GB');
}
