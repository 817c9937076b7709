import { createRxDatabase } from 'rxdb';
import { replicateRxCollection } from 'rxdb/plugins/replication';
import { getRxStorageDexie } from 'rxdb/plugins/storage-dexie';
import { Subject } from 'rxjs';
import { callsOf } from '../../src/client/page/device.ts';
import { follow, fullPage, push, upsert } from './wire.js';

const PAGE = 500;
const text = { type: 'string' };
const schema = {
  version: 0,
  primaryKey: 'id',
  type: 'object',
  properties: {
    id: { ...text, maxLength: 64 },
    title: text,
    done: { type: 'boolean' },
    note: text,
    qty: { type: 'number' },
  },
  required: ['id', 'title', 'done', 'note', 'qty'],
};

let notes;
let replication;
let isLoaded = false;
let listener;

async function open({ name, token }) {
  const database = await createRxDatabase({ name, storage: getRxStorageDexie() });
  ({ notes } = await database.addCollections({ notes: { schema } }));
  const changes = new Subject();
  let isFollowing = false;
  replication = replicateRxCollection({
    replicationIdentifier: 'notes',
    collection: notes,
    live: true,
    pull: {
      batchSize: PAGE,
      stream$: changes,
      handler: async (checkpoint) => {
        if (checkpoint?.since === undefined) {
          const { rows, next, since } = await fullPage(token, checkpoint?.page);
          const documents = rows.map((row) => ({ ...row, _deleted: false }));
          return { documents, checkpoint: next === undefined ? { since } : { page: next } };
        }
        if (!isFollowing) {
          isFollowing = true;
          follow(token, checkpoint.since, (row, since) =>
            changes.next({ documents: [{ ...row, _deleted: false }], checkpoint: { since } }),
          );
        }
        return { documents: [], checkpoint };
      },
    },
    push: {
      batchSize: 1_000,
      handler: async (rows) => {
        await push(
          token,
          rows.map(({ newDocumentState }) => upsert(newDocumentState)),
        );
        return [];
      },
    },
  });
  replication.error$.subscribe((error) => console.error(error.code, JSON.stringify(error.parameters.errors)));
  if (listener) {
    const tell = listener;
    let docs = [];
    const say = () =>
      tell({
        count: docs.length,
        isComplete: isLoaded,
        notes: () => docs.map((doc) => [doc.id, doc]),
      });
    notes.find().$.subscribe((found) => {
      docs = found;
      say();
    });
    void replication.awaitInitialReplication().then(() => {
      isLoaded = true;
      // The socket begins behind the load: one pull more asks from there.
      replication.reSync();
      say();
    });
  }
}

const device = {
  open,
  show: (tell) => {
    listener = tell;
    return () => undefined;
  },
  add: (id, note) => notes.insert({ id, ...note }),
  setQty: async (id, qty) => (await notes.findOne(id).exec()).incrementalPatch({ qty }),
  sent: () => replication.awaitInSync(),
};

globalThis.calls = callsOf(device);
