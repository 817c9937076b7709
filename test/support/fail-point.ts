import mongoose, { type mongo } from 'mongoose';

export interface FailPoint {
  readonly commands: readonly string[];
  /** Of the client that shall suffer. */
  readonly appName: string;
  readonly errorCode?: number;
  readonly closeConnection?: boolean;
  /** The command takes effect, and its answer says that this many members may not have it. */
  readonly writeConcernError?: { readonly code: number; readonly errmsg: string };
  /** Does nothing for so long before it goes on. Milliseconds. */
  readonly blockTimeMS?: number;
  readonly errorLabels?: readonly string[];
  /** How often; undefined until it is switched off. */
  readonly times?: number;
}

/** Makes commands of one client fail at the server. Needs mongod with enableTestCommands. */
export class FailPoints {
  private constructor(private readonly client: mongo.MongoClient) {}

  static async connect(uri: string): Promise<FailPoints> {
    return new FailPoints(await mongoose.mongo.MongoClient.connect(uri));
  }

  /** @returns waits until a command has run into it */
  async set({ commands, appName, times, ...how }: FailPoint): Promise<() => Promise<void>> {
    const admin = this.client.db('admin');
    const { count } = await admin.command({
      configureFailPoint: 'failCommand',
      mode: times === undefined ? 'alwaysOn' : { times },
      data: {
        failCommands: commands,
        appName,
        ...(how.blockTimeMS === undefined ? {} : { blockConnection: true }),
        ...how,
      },
    });
    return async () => {
      const timesEntered = (count as number) + 1;
      await admin.command({ waitForFailPoint: 'failCommand', timesEntered, maxTimeMS: 10_000 });
    };
  }

  async off(): Promise<void> {
    await this.client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
  }

  /** The cursors of a client's change streams. */
  async changeStreams(appName: string): Promise<mongo.Long[]> {
    const rows = await this.client
      .db('admin')
      .aggregate<{ cursor: { cursorId: mongo.Long } }>([
        { $currentOp: { idleCursors: true, allUsers: true } },
        { $match: { appName, 'cursor.tailable': true } },
      ])
      .toArray();
    return rows.map(({ cursor }) => cursor.cursorId);
  }

  async killCursors(db: string, collection: string, cursors: readonly mongo.Long[]): Promise<void> {
    await this.client.db(db).command({ killCursors: collection, cursors });
  }

  async close(): Promise<void> {
    await this.off();
    await this.client.close();
  }
}
