import mongoose, { type mongo } from 'mongoose';
import { startEmbeddedMongo, type EmbeddedMongo } from '../../libs/embedded-mongo/src';
import { openChangeStreams } from './change-streams';
import { withDatabase } from './database';

export interface FailPoint {
  readonly commands: readonly string[];
  /** Of the affected client; none: all clients. */
  readonly appName?: string;
  /** `database.collection` of the commands; none: all. */
  readonly namespace?: string;
  readonly errorCode?: number;
  readonly closeConnection?: boolean;
  /** The command takes effect, and its answer says that this many members may not have it. */
  readonly writeConcernError?: { readonly code: number; readonly errmsg: string };
  /** Pauses this long before it continues. Milliseconds. */
  readonly blockTimeMS?: number;
  readonly errorLabels?: readonly string[];
  /** How often; undefined: until it is switched off. */
  readonly times?: number;
  /** Instead: how many commands it lets through first. */
  readonly skip?: number;
}

/**
 * Makes commands of a client fail, on a separate server: a server has one fail point for commands, and on the one that
 * the test files share they would switch each other's off.
 */
export class FailPoints {
  private constructor(
    private readonly server: EmbeddedMongo,
    private readonly client: mongo.MongoClient,
  ) {}

  static async start(): Promise<FailPoints> {
    const server = await startEmbeddedMongo({ args: ['--setParameter', 'enableTestCommands=1'] });
    return new FailPoints(server, await mongoose.mongo.MongoClient.connect(server.uri));
  }

  get port(): number {
    return Number(new URL(this.server.uri).port);
  }

  /** Connection string with the database in its path. */
  uri(database: string): string {
    return withDatabase(this.server.uri, database);
  }

  /** @returns waits until a command has run into it */
  async set({ commands, times, skip, ...how }: FailPoint): Promise<() => Promise<void>> {
    const admin = this.client.db('admin');
    const { count } = await admin.command({
      configureFailPoint: 'failCommand',
      mode: times !== undefined ? { times } : skip !== undefined ? { skip } : 'alwaysOn',
      data: {
        failCommands: commands,
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
  changeStreams(appName: string): Promise<mongo.Long[]> {
    return openChangeStreams(this.client, appName);
  }

  async killCursors(db: string, collection: string, cursors: readonly mongo.Long[]): Promise<void> {
    await this.client.db(db).command({ killCursors: collection, cursors });
  }

  async close(): Promise<void> {
    await this.off();
    await this.client.close();
    await this.server.stop();
  }
}
