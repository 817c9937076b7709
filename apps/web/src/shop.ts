import { collection, type Identity, type SyncClient } from 'nest-offline-sync-client';

/** What of the shop's documents (apps/demo/src/shop) the page works with. Money is text, dates are texts, as on the wire. */
export interface Task {
  title: string;
  done: boolean;
  priority?: number;
}

export interface Item {
  name: string;
  price: string;
  quantity: number;
}

export interface Order {
  lines: { itemId: string; name: string; unitPrice: string; quantity: number }[];
  total: string;
  state: 'placed' | 'packed' | 'sent' | 'cancelled';
  placedAt: string;
}

export const collections = {
  tasks: collection<Task>(),
  inventory_items: collection<Item>({ ids: 'objectid', indexes: ['name'] }),
  orders: collection<Order>(),
};

/** What people call a document: the title of a task, the name of goods, an order by its total. */
export function nameOf(document: unknown): string | undefined {
  const { title, name, total } = (document ?? {}) as { title?: string; name?: string; total?: string };
  return title ?? name ?? (total === undefined ? undefined : `order of ${total}`);
}

export type Shop = SyncClient<typeof collections>;

/** Whose data a token opens: the claims that the demo is configured with. */
export function identityOf(claims: Readonly<Record<string, unknown>>): Identity {
  return { scope: String(claims['business_id']), actor: String(claims['user_id']) };
}

/** Where the demo has its routes. */
export interface Place {
  readonly sync: string;
  readonly stream: string;
  /** False in production: no route gives tokens away. */
  readonly signsIn: boolean;
}

export async function findPlace(): Promise<Place> {
  const answer = await fetch('/demo');
  if (!answer.ok) throw new Error(`The demo does not say where its routes are (${String(answer.status)}).`);
  return (await answer.json()) as Place;
}

/**
 * At the shop's counter: a plain REST call of the shop's own service, which writes through the same log as the phones.
 *
 * @returns the total
 * @throws Error with what the service says
 */
export async function placeOrder(user: string, business: string, itemId: string): Promise<string> {
  const answer = await fetch('/orders', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await signIn(user, business)}` },
    body: JSON.stringify({ lines: [{ itemId, quantity: 1 }] }),
  });
  const { total = '', message } = (await answer.json()) as {
    readonly total?: string;
    readonly message?: string;
  };
  if (!answer.ok) throw new Error(message ?? `Refused (${String(answer.status)})`);
  return total;
}

/** A token for anybody, of the demo's development route. */
export async function signIn(user: string, business: string): Promise<string> {
  const answer = await fetch('/auth/token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: user, business_id: business }),
  });
  if (!answer.ok) throw new Error(`No token for ${user} (${String(answer.status)}).`);
  return ((await answer.json()) as { token: string }).token;
}
