import { useLive } from 'nest-offline-sync-client/react';
import { useEdit } from './edit-failures.tsx';
import { Empty } from './empty.tsx';
import { Row, useWasComplete } from './row.tsx';
import type { Order, Shop } from './shop.ts';

/** The next states, each with what a person does for it. */
const NEXT: Readonly<Record<Order['state'], readonly (readonly [Order['state'], string])[]>> = {
  placed: [
    ['packed', 'Pack'],
    ['cancelled', 'Cancel'],
  ],
  packed: [
    ['sent', 'Send'],
    ['cancelled', 'Cancel'],
  ],
  sent: [],
  cancelled: [],
};

/** Orders move from state to state. Who has not seen the newest one is asked again. */
export function Orders({ client }: { readonly client: Shop }) {
  const { rows, complete } = useLive(
    () => client.db.orders.live({ orderBy: ['placedAt', 'desc'], limit: 20 }),
    [client],
  );
  const isLoaded = useWasComplete(complete);
  const edit = useEdit();
  return (
    <>
      {rows.length === 0 && <Empty client={client} complete={complete} what="orders" />}
      <ul>
        {rows.map((order) => (
          <Row key={order._id} id={order._id} value={order} isNew={isLoaded} className="order">
            <span className="title">
              {order.lines.map(({ name, quantity }) => `${String(quantity)} × ${name}`).join(', ')}
              <small>
                {order.total} · <b>{order.state}</b>
              </small>
            </span>
            {NEXT[order.state].map(([state, act]) => (
              <button
                key={state}
                aria-label={`${act} the order of ${order.total}`}
                onClick={() => void edit(client.db.orders.patch(order._id, { state }))}
              >
                {act}
              </button>
            ))}
          </Row>
        ))}
      </ul>
    </>
  );
}
