import { createCollection, createLiveQueryCollection } from '@tanstack/db';
import { startOfflineExecutor } from '@tanstack/offline-transactions';
import { callsOf } from '../../src/client/page/device.ts';
import { follow, fullPage, push, upsert } from './wire.js';

let notes;
let executor;
let listener;
const promises = [];

/** Its collections are in memory: what is kept on the device is the queue of edits. */
async function open({ token }) {
  notes = createCollection({
    id: 'notes',
    getKey: ({ id }) => id,
    startSync: true,
    sync: {
      rowUpdateMode: 'full',
      sync: ({ collection, begin, write, commit, markReady }) => {
        const load = async () => {
          let page;
          do {
            const { rows, next, since } = await fullPage(token, page);
            begin();
            for (const value of rows) write({ type: 'insert', value });
            commit();
            page = next;
            if (next === undefined) {
              markReady();
              follow(token, since, (value) => {
                begin();
                write({ type: collection._state.syncedData.has(value.id) ? 'update' : 'insert', value });
                commit();
              });
            }
          } while (page !== undefined);
        };
        const again = () => load().catch(() => setTimeout(again, 1_000));
        void again();
      },
    },
  });
  executor = startOfflineExecutor({
    collections: { notes },
    mutationFns: {
      push: ({ transaction, idempotencyKey }) =>
        push(
          token,
          transaction.mutations.map(({ modified }, at) => upsert(modified, `${idempotencyKey}-${at}`)),
        ),
    },
  });
  await executor.waitForInit();
  if (!listener) return;
  const tell = listener;
  const live = createLiveQueryCollection({
    startSync: true,
    query: (q) => q.from({ note: notes }),
  });
  const say = () =>
    tell({
      count: live.size,
      isComplete: live.status === 'ready' && notes.status === 'ready',
      notes: () => [...live.entries()],
    });
  live.subscribeChanges(say, { includeInitialState: true });
  live.on('status:change', say);
}

const edited = (change) => {
  const transaction = executor.createOfflineTransaction({ mutationFnName: 'push', autoCommit: false });
  transaction.mutate(change);
  promises.push(transaction.commit());
};

const device = {
  open,
  show: (tell) => {
    listener = tell;
    return () => undefined;
  },
  add: async (id, note) => edited(() => notes.insert({ id, ...note })),
  setQty: async (id, qty) =>
    edited(() =>
      notes.update(id, (draft) => {
        draft.qty = qty;
      }),
    ),
  sent: () => Promise.all(promises),
};

globalThis.calls = callsOf(device);
