import type { mongo } from 'mongoose';

/** Ids of the change streams that a server holds for a client. @param appName the client's */
export async function openChangeStreams(client: mongo.MongoClient, appName: string): Promise<mongo.Long[]> {
  const rows = await client
    .db('admin')
    .aggregate<{ cursor: { cursorId: mongo.Long } }>([
      { $currentOp: { idleCursors: true, allUsers: true } },
      { $match: { appName, 'cursor.tailable': true } },
    ])
    .toArray();
  return rows.map(({ cursor }) => cursor.cursorId);
}
