import { check } from '../check';
import type { Cast } from './cast';

export async function showLiveStream({ stage, alice, bob, taskId, itemId }: Cast): Promise<void> {
  await stage.chapter('Live: the same entries over a WebSocket, as they happen');
  const stream = await bob.live();
  try {
    await stage.does('bob', 'subscribes from his cursor on');
    await stage.does('alice', 'pushes a task');
    const begin = performance.now();
    await alice.write({
      collection: 'tasks',
      operation: 'upsert',
      doc_id: `${taskId}-2`,
      data: { title: 'Call Bob' },
    });
    const task = await stream.next();
    const tookMs = Math.round(performance.now() - begin);
    check(task.data?.['title'] === 'Call Bob', 'Bob gets Alice’s task');
    await stage.works(`Bob has it ${String(tookMs)} ms after she sent it`, { title: 'Call Bob' });

    await stage.does('alice', 'buys 2 with POST /orders, the shop’s own route');
    const order = await alice.request('POST', '/orders', { lines: [{ itemId, quantity: 2 }] });
    check(order.status === 201, `the order is placed (201, not ${String(order.status)})`);
    const [stock, placed] = [await stream.next(), await stream.next()];
    check(
      stock.collection === 'inventory_items' && stock.data?.['quantity'] === 3,
      'the stock went from 5 to 3',
    );
    check(placed.collection === 'orders' && placed.data?.['total'] === '37.00', 'the order of 37.00 follows');
    await stage.works('The server’s own transaction is in the log too: less stock, one order', {
      quantity: stock.data['quantity'],
      total: placed.data['total'],
    });

    await stage.does('alice', 'wants 50 more');
    const refused = await alice.request('POST', '/orders', { lines: [{ itemId, quantity: 50 }] });
    check(refused.status === 409, `too much is refused (409, not ${String(refused.status)})`);
    await stage.works(
      '409, and nothing was written',
      ((await refused.json()) as { message: string }).message,
    );
    bob.cursor = placed.version;
  } finally {
    await stream.close();
  }
  const rest = await bob.pullAll();
  check(rest.length === 0, 'a pull from the last live version gives nothing more');
}
