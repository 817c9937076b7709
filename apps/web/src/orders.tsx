import { useLive } from 'nest-offline-sync-client/react';
import { useEdit } from './edit-failures.tsx';
import { Empty } from './empty.tsx';
import type { Order, Shop } from './shop.ts';

const NEXT: Readonly<Record<Order['state'], readonly Order['state'][]>> = {
  placed: ['packed', 'cancelled'],
  packed: ['sent', 'cancelled'],
  sent: [],
  cancelled: [],
};

/** Orders move from state to state. Who has not seen the newest one is asked again. */
export function Orders({ client }: { readonly client: Shop }) {
  const { rows, complete } = useLive(
    () => client.db.orders.live({ orderBy: ['placedAt', 'desc'], limit: 20 }),
    [client],
  );
  const edit = useEdit();
  return (
    <>
      {rows.length === 0 && <Empty client={client} complete={complete} what="orders" />}
      <ul>
        {rows.map((order) => (
          <li key={order._id} data-id={order._id} className="order">
            <span className="title">
              {order.lines.map(({ name, quantity }) => `${String(quantity)} × ${name}`).join(', ')}
              <small>
                {order.total} · <b>{order.state}</b>
              </small>
            </span>
            {NEXT[order.state].map((state) => (
              <button
                key={state}
                aria-label={`${state}: order of ${order.total}`}
                onClick={() => void edit(client.db.orders.patch(order._id, { state }))}
              >
                {state}
              </button>
            ))}
          </li>
        ))}
      </ul>
    </>
  );
}
