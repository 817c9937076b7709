import { setTimeout as delay } from 'node:timers/promises';
import type { mongo } from 'mongoose';
import type { ServerProcess } from '../faults/server-process';

/** Kills the process that captures, again and again, and starts it again. */
export class Killing {
  kills = 0;
  private isOver = false;
  private isGivenUp = false;
  private job: Promise<void> = Promise.resolve();

  constructor(
    private readonly apps: readonly ServerProcess[],
    private readonly client: mongo.MongoClient,
    private readonly everyMs: number,
  ) {}

  begin(): void {
    this.job = this.run();
    this.job.catch(() => undefined);
  }

  /** From here on all of them run. However short the time was, one was killed. */
  async end(): Promise<void> {
    this.isOver = true;
    await this.job;
  }

  /** The same at once, whether or not one was killed. */
  async giveUp(): Promise<void> {
    this.isGivenUp = true;
    await this.job.catch(() => undefined);
  }

  private get goesOn(): boolean {
    return !this.isGivenUp && (!this.isOver || this.kills === 0);
  }

  private async run(): Promise<void> {
    while (this.goesOn) {
      for (let left = this.everyMs; left > 0 && this.goesOn; left -= 100) await delay(100);
      let app: ServerProcess | undefined;
      // Between two answers nobody is seen to read it.
      while (!app && this.goesOn) {
        const name = await capturing(this.client);
        app = this.apps.find(({ settings }) => settings.name === name);
        if (!app) await delay(20);
      }
      if (!app) return;
      await app.kill();
      this.kills += 1;
      await app.restart();
    }
  }
}

/** The app name of who reads the change stream with pre-images; undefined while nobody does. */
async function capturing(client: mongo.MongoClient): Promise<string | undefined> {
  const ops = await client
    .db('admin')
    .aggregate<Operation>([{ $currentOp: { allUsers: true, idleConnections: true, idleCursors: true } }])
    .toArray();
  return ops.find(({ cursor, command }) =>
    [cursor?.originatingCommand, command].some((asked) => JSON.stringify(asked ?? '').includes(OPTION)),
  )?.appName;
}

/** Nobody else asks for it. */
const OPTION = '"fullDocumentBeforeChange":"whenAvailable"';

interface Operation {
  readonly appName?: string;
  readonly command?: object;
  readonly cursor?: { readonly originatingCommand?: object };
}
