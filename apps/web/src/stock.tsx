import { inc } from 'nest-offline-sync-client';
import { useLive } from 'nest-offline-sync-client/react';
import { useEdit } from './edit-failures.tsx';
import { Empty } from './empty.tsx';
import { Row, useWasComplete } from './row.tsx';
import type { Shop } from './shop.ts';

const SHOWN = 100;

/** The shelf. A sale is told as "one less", whatever others sell meanwhile. */
export function Stock({ client }: { readonly client: Shop }) {
  const { rows, complete } = useLive(
    () => client.db.inventory_items.live({ orderBy: 'name', limit: SHOWN }),
    [client],
  );
  const isLoaded = useWasComplete(complete);
  const edit = useEdit();
  return (
    <>
      {rows.length === 0 && <Empty client={client} complete={complete} what="goods" />}
      <ul>
        {rows.map((item) => (
          <Row key={item._id} id={item._id} value={item} isNew={isLoaded}>
            <span className="title">{item.name}</span>
            <output aria-label={`${item.name} left`}>{item.quantity}</output>
            <button
              disabled={item.quantity < 1}
              aria-label={`Sell one ${item.name}`}
              onClick={() => void edit(client.db.inventory_items.patch(item._id, { quantity: inc(-1) }))}
            >
              Sell
            </button>
          </Row>
        ))}
      </ul>
      {rows.length === SHOWN && <p className="empty">The first {SHOWN} by name. All are on this device.</p>}
    </>
  );
}
