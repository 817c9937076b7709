import type { mongo } from 'mongoose';
import type { Host, Kind } from '../case';
import { first } from './seeds';

/** As an app does it: its own session, `withTransaction`, and the engine's calls inside. */
async function inOwnSession(
  { client }: Host,
  body: (session: mongo.ClientSession) => Promise<void>,
): Promise<void> {
  const session = client.startSession();
  try {
    await session.withTransaction(() => body(session), {
      readConcern: { level: 'snapshot' },
      writeConcern: { w: 'majority' },
    });
  } finally {
    await session.endSession();
  }
}

export const RECORDED_CHANGES: readonly Kind[] = [
  {
    name: 'recordServerChange alone',
    seed: (on) => first(on, 'last'),
    write: (on, { sync }) =>
      sync.recordServerChange({
        identity: on.identity('a'),
        collection: 'last',
        docId: 'd',
        operation: 'upsert',
        data: { by: 'app' },
      }),
  },
  {
    name: 'recordServerChange in a session of the app',
    seed: (on) => first(on, 'last'),
    ownSession: true,
    write: (on, host) =>
      inOwnSession(host, async (session) => {
        const identity = on.identity('a');
        const meta = await host.sync.buildSyncMetadata(identity, { session });
        const _id = on.named('own') as never;
        await host.db.collection('shared').insertOne({ _id, by: 'app', ...meta }, { session });
        const version = meta._sync_version;
        await host.sync.recordServerChange({
          ...{ identity, session, version },
          ...{ collection: 'shared', docId: on.named('own'), operation: 'upsert', data: { by: 'app' } },
        });
      }),
  },
  {
    name: 'recordServerChange in a session of the app, without metadata, first of the scope',
    ownSession: true,
    write: (on, host) =>
      inOwnSession(host, async (session) => {
        const more = { identity: on.identity('a'), session, operation: 'upsert' } as const;
        await host.sync.recordServerChange({ ...more, collection: 'last', docId: 'd', data: { by: 'app' } });
        await host.sync.recordServerChange({ ...more, collection: 'merge', docId: 'e', data: { by: 'app' } });
      }),
  },
  {
    name: 'lock, then writes',
    seed: (on) => first(on, 'last'),
    ownSession: true,
    write: (on, host) =>
      inOwnSession(host, async (session) => {
        const identity = on.identity('a');
        await host.sync.lock(session, identity.scopeId);
        await host.db.collection('ledger').insertOne({ _id: on.named('entry') as never, n: 1 }, { session });
        await host.sync.recordServerChange({
          ...{ identity, session, collection: 'last', docId: 'd', operation: 'upsert' },
          data: { by: 'app' },
        });
      }),
  },
  {
    name: 'lock of a scope that has no head',
    ownSession: true,
    write: (on, host) =>
      inOwnSession(host, async (session) => {
        const identity = on.identity('a');
        await host.sync.lock(session, identity.scopeId);
        await host.sync.recordServerChange({
          ...{ identity, session, collection: 'last', docId: 'd', operation: 'upsert' },
          data: { by: 'app' },
        });
      }),
  },
];
