import {
  add,
  collection,
  inc,
  type Edited,
  type ScopeClient,
  type SyncClient,
} from 'nest-offline-sync-client';
import type { Chance } from './random';

/** Some of what the demo syncs, with each of its ways to treat conflicts. */
export const collections = {
  /** Newest edit. */
  notes: collection<{ n?: number; marks?: string[]; text?: string }>(),
  /** Field by field. */
  tasks: collection<{ title: string; done?: boolean; tags?: string[]; priority?: number }>(),
  /** Field by field; an edit of a deleted one is refused. */
  customers: collection<{ name: string; loyaltyPoints?: number }>(),
  /** By a resolver of the app. */
  inventory_items: collection<{ name: string; price: string; quantity: number }>({ ids: 'objectid' }),
  /** Newest edit; deleted stays deleted. */
  categories: collection<{ name: string; position?: number }>({ ids: 'objectid' }),
  /** What was made on an older version is refused. */
  orders: collection<{ lines: object[]; total: string; state: string; placedAt: string }>(),
};
export type DeviceClient = SyncClient<typeof collections>;
export type OneScope = ScopeClient<typeof collections>;

const WEIGHTS = {
  count: 30,
  sell: 10,
  note: 12,
  task: 12,
  customer: 8,
  category: 5,
  order: 6,
  bad: 4,
  badTransaction: 3,
  decide: 6,
} as const;
export type EditKind = keyof typeof WEIGHTS;

/** Documents that devices meet at. Counters are made for each round, and only ever count up. */
export const counters = (round: number): string[] => [0, 1].map((n) => `count-${round}-${n}`);
export const stock = (business: string): string => `c0ffee${hex(business)}0000000000000001`.slice(0, 24);
const hex = (business: string): string => Number(business.replace(/\D/g, '')).toString(16).padStart(8, '0');
const uuidOf = (business: string, n: number): string =>
  `${hex(business)}-0000-4000-8000-00000000000${String(n)}`;
const ORDER = {
  lines: [{ itemId: 'a'.repeat(24), name: 'Bell', unitPrice: '3.20', quantity: 1 }],
  total: '3.20',
};

export interface EditAsk {
  readonly client: DeviceClient;
  /** The user's private scope. */
  readonly own: { readonly name: string; readonly scope: OneScope };
  readonly business: string;
  readonly round: number;
  /** What says whose text it is: `~scope~round.device.life.n+weight`. */
  readonly marker: (scope: string, weight: number, isSale: boolean) => string;
  readonly chance: Chance;
  /** The user decides about these mutations: told before it takes effect. */
  readonly givingUp: (mutations: readonly string[]) => void;
}

export interface Plan {
  readonly kind: EditKind;
  readonly marker: string;
  readonly make: () => Promise<readonly Edited[]>;
}

/** An edit that somebody may make now. */
export function planEdit({ client, own, business, round, marker, chance, givingUp }: EditAsk): Plan {
  const kind = chance.weighted(WEIGHTS);
  const { db } = client;
  const n = chance.between(0, 4);
  const by = chance.between(1, 3);
  const isOwn = kind === 'count' && chance.next() < 0.2;
  const mark = marker(
    isOwn ? own.name : business,
    kind === 'count' || kind === 'sell' ? by : 0,
    kind === 'sell',
  );
  const counter = chance.one(counters(round));
  const counted = { n: inc(by), marks: add(mark) };
  const isDelete = chance.next() < 0.15;
  const one = async (edited: Promise<Edited>): Promise<readonly Edited[]> => [await edited];
  const make: Record<EditKind, () => Promise<readonly Edited[]>> = {
    count: () => one((isOwn ? own.scope : client).db.notes.patch(counter, counted)),
    sell: () =>
      client.transaction(async (tx) => [
        await tx.notes.patch(counter, counted),
        await tx.inventory_items.patch(stock(business), { quantity: inc(by) }),
      ]),
    note: () =>
      one(
        isDelete
          ? db.notes.delete(`note-${n}`)
          : chance.next() < 0.5
            ? db.notes.upsert(`note-${n}`, { text: mark })
            : db.notes.patch(`note-${n}`, { text: mark }),
      ),
    task: () => {
      const id = `task-${business}-${n}`;
      if (isDelete) return one(db.tasks.delete(id));
      if (chance.next() < 0.4) return one(db.tasks.upsert(id, { title: mark, done: false }));
      return one(db.tasks.patch(id, chance.next() < 0.5 ? { done: chance.next() < 0.5 } : { title: mark }));
    },
    customer: () => {
      const id = uuidOf(business, n);
      if (isDelete) return one(db.customers.delete(id));
      if (chance.next() < 0.4) return one(db.customers.upsert(id, { name: mark, loyaltyPoints: 0 }));
      return one(db.customers.patch(id, chance.next() < 0.5 ? { name: mark } : { loyaltyPoints: inc(1) }));
    },
    category: () => {
      const id = `ca7e60${hex(business)}000000000${n}`.padEnd(24, '0');
      if (isDelete) return one(db.categories.delete(id));
      return one(db.categories.upsert(id, { name: mark, position: n }));
    },
    order: () => {
      const id = uuidOf(business, n % 2);
      const state = chance.one(['placed', 'packed', 'sent']);
      if (chance.next() < 0.3)
        return one(db.orders.upsert(id, { ...ORDER, state, placedAt: '2026-05-02T10:00:00.000Z' }));
      return one(db.orders.patch(id, { state }));
    },
    bad: () => one(db.tasks.upsert(`bad-${business}-${n}`, { title: mark, priority: 99 })),
    badTransaction: () =>
      client.transaction(async (tx) => [
        await tx.notes.upsert(`note-${n}`, { text: mark }),
        await tx.tasks.upsert(`bad-${business}-${n}`, { title: mark, priority: 99 }),
      ]),
    decide: async () => {
      const [entry] = await client.rejected.list();
      if (!entry) return [];
      givingUp(entry.changes.map(({ mutation }) => mutation));
      if (chance.next() < 0.5) await client.rejected.discard(entry.id);
      else await client.rejected.retry(entry.id);
      return [];
    },
  };
  return { kind, marker: mark, make: make[kind] };
}
