/** A page as an app has it: a list of tasks and the status of the sync, by React, against a server in the page. */
import { collection, createSyncClient, type SyncClient } from 'nest-offline-sync-client';
import { indexedDb } from 'nest-offline-sync-client/indexeddb';
import { useLive, useStatus } from 'nest-offline-sync-client/react';
import { FakeServer, FaultyNetwork } from 'nest-offline-sync-client/testing';
import { createElement as h, useState, type ReactElement } from 'react';
import { createRoot } from 'react-dom/client';

interface Task {
  title: string;
  done: boolean;
}
const collections = { tasks: collection<Task>() };

const server = new FakeServer({ collections: ['tasks'] });
const network = new FaultyNetwork(server);
const client: SyncClient<typeof collections> = createSyncClient({
  url: `${location.origin}/sync`,
  storage: indexedDb(),
  auth: { token: () => server.token('ann') },
  collections,
  environment: { fetch: network.fetch, socket: network.socket },
});

function App(): ReactElement {
  const [done, setDone] = useState(false);
  const { rows, complete } = useLive(
    () => client.db.tasks.live({ where: { done }, orderBy: 'title' }),
    [done],
  );
  const { phase, pending } = useStatus(client);
  return h(
    'main',
    null,
    h('p', { id: 'status' }, `${phase}, ${String(pending)} pending`),
    h('p', { id: 'complete' }, complete ? 'complete' : 'loading'),
    h('button', { onClick: () => setDone(!done) }, done ? 'Show open tasks' : 'Show done tasks'),
    h('ul', null, ...rows.map(({ _id, title }) => h('li', { key: _id }, title))),
  );
}

createRoot(document.documentElement.appendChild(document.createElement('div'))).render(h(App));

const calls = {
  open: () => client.open(),
  create: (title: string, done: boolean) => client.db.tasks.create({ title, done }),
  theirs: (id: string, title: string) => server.edit('ann', 'tasks', id, { title, done: false }),
  online: (isOnline: boolean) => (isOnline ? network.online() : network.offline()),
};
export type ReactCalls = typeof calls;
Object.assign(globalThis, { calls });
