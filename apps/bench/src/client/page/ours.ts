import { collection, createSyncClient, type SyncClient } from 'nest-offline-sync-client';
import { indexedDb } from 'nest-offline-sync-client/indexeddb';
import { callsOf, type Device, type Note, type Setup, type Shown } from './device.ts';

const collections = { notes: collection<Note>() };

/** Made with the first call that needs it: the name of its databases is known then. */
let client: SyncClient<typeof collections> | undefined;
let token = '';
let listener: ((state: Shown) => void) | undefined;
let end: (() => void) | undefined;

function made({ name, token: given }: Setup): SyncClient<typeof collections> {
  token = given;
  return createSyncClient({
    url: `${location.origin}/sync`,
    app: name,
    storage: indexedDb(),
    auth: {
      token: () => token,
      identity: (claims) => ({ scope: String(claims['business_id']), actor: String(claims['user_id']) }),
    },
    collections,
  });
}

function opened(): SyncClient<typeof collections> {
  if (!client) throw new Error('It is not open.');
  return client;
}

const device: Device = {
  open: async (setup) => {
    client = made(setup);
    if (listener) {
      const tell = listener;
      end = client.db.notes.live().subscribe(({ rows, complete }) =>
        tell({
          count: rows.length,
          isComplete: complete,
          notes: () => rows.map((row) => [String(row._id), row] as const),
        }),
      );
    }
    await client.open();
  },
  show: (tell) => {
    listener = tell;
    return () => end?.();
  },
  add: (id, note) => opened().db.notes.create({ _id: id, ...note }),
  setQty: (id, qty) => opened().db.notes.patch(id, { qty }),
  sent: async () => {
    if (!(await opened().flush({ timeoutMs: 120_000 }))) throw new Error('Not everything was sent in time.');
  },
};

Object.assign(globalThis, { calls: callsOf(device) });
