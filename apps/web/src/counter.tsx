import { useLive } from 'nest-offline-sync-client/react';
import { useState } from 'react';
import type { Device } from './device.ts';
import { placeOrder } from './shop.ts';

/** The shop's own service, beside the phones. */
export function Counter({ device }: { readonly device: Device }) {
  const { rows } = useLive(
    () => device.client.db.inventory_items.live({ orderBy: 'name', limit: 50 }),
    [device],
  );
  const [item, setItem] = useState('');
  const [told, setTold] = useState('');
  const chosen = rows.find(({ _id }) => _id === item) ?? rows[0];

  const place = async (): Promise<void> => {
    if (!chosen) return;
    const { user, business } = device.holder;
    setTold(`Order placed: ${await placeOrder(user, business, String(chosen._id))}`);
  };

  return (
    <article className="counter" aria-label="The shop’s counter">
      <header>
        <div>
          <h2>Counter</h2>
          <p>the shop’s own service</p>
        </div>
      </header>
      <p>
        No phone and no sync in the call: <code>POST /orders</code> takes one from the shelf and stores an
        order, both or neither, and every phone hears of it.
      </p>
      <label>
        Goods
        <select value={chosen?._id ?? ''} onChange={({ target }) => setItem(target.value)}>
          {rows.map(({ _id, name, quantity }) => (
            <option key={_id} value={_id}>
              {name} ({quantity} left)
            </option>
          ))}
        </select>
      </label>
      <button
        disabled={!chosen}
        onClick={() =>
          void place().catch((error: unknown) =>
            setTold(
              error instanceof TypeError || !(error instanceof Error)
                ? 'The server cannot be reached.'
                : error.message,
            ),
          )
        }
      >
        Place an order
      </button>
      <p role="status">{told}</p>
    </article>
  );
}
