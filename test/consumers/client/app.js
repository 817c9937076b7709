import { add, collection, createSyncClient, inc } from 'nest-offline-sync-client';
import { FakeServer, FaultyNetwork } from 'nest-offline-sync-client/testing';

/** A list of tasks on any storage, with a server in memory that can be away. */
export function createApp(storage, isOffline = false) {
  const server = new FakeServer({ collections: ['tasks'] });
  const network = new FaultyNetwork(server);
  if (isOffline) network.offline();
  const client = createSyncClient({
    url: 'https://api.example.com/sync',
    storage,
    auth: { token: () => server.token('ann') },
    collections: { tasks: collection() },
    environment: { fetch: network.fetch, socket: network.socket },
  });
  return {
    client,
    create: async (title) => {
      const { id, mutation } = await client.db.tasks.create({ title, done: false, visits: 0 });
      await client.settled(mutation);
      const patched = await client.db.tasks.patch(id, { visits: inc(1), tags: add('shop') });
      return client.settled(patched.mutation);
    },
  };
}
