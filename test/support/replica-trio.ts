import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMongod } from '../../libs/embedded-mongo/src';
import { CuttingProxy } from './cutting-proxy';
import { freePort, MongodProcess } from './mongod-process';
import { until } from './until';

const ELECTION_LIMIT_MS = 30_000;
/** Three servers that start at once, on a machine that is busy. */
const START_LIMIT_MS = 90_000;
const TRIES = 3;
/** A machine that does many things at once must not look like a dead primary. */
const ELECTION_TIMEOUT_MS = 2_000;

export interface TrioOptions {
  /**
   * A proxy before each member, under whose port the set and its clients know it: also what the members tell each
   * other passes it. Per-member horizons, which would leave the members alone, need TLS.
   */
  readonly proxied?: boolean;
  /** The folder above a member's data, if it is a special one. */
  readonly disk?: (index: number) => string | undefined;
}

/** Three members on loopback, for what a single one cannot show: elections, and writes that are not confirmed yet. */
export class ReplicaTrio {
  private constructor(
    readonly members: readonly MongodProcess[],
    /** In the members' order; none unless asked for. */
    readonly proxies: readonly CuttingProxy[],
    private readonly folder: string,
  ) {}

  static async start(options: TrioOptions = {}): Promise<ReplicaTrio> {
    // A port that was free may be taken a moment later.
    for (let tries = 1; ; tries += 1)
      try {
        return await this.launch(options);
      } catch (error) {
        if (tries === TRIES) throw error;
      }
  }

  private static async launch({ proxied = false, disk }: TrioOptions): Promise<ReplicaTrio> {
    const { path } = await findMongod();
    const folder = await mkdtemp(join(tmpdir(), 'nos-trio-'));
    const members: MongodProcess[] = [];
    const proxies: CuttingProxy[] = [];
    for (let index = 0; index < 3; index += 1) {
      const port = await freePort();
      const dbPath = await mkdtemp(join(disk?.(index) ?? folder, 'db-'));
      members.push(new MongodProcess({ path, port, dbPath, replicaSet: 'trio' }));
      if (proxied) proxies.push(await CuttingProxy.before(port));
    }
    const trio = new ReplicaTrio(members, proxies, folder);
    try {
      for (const member of members) member.start();
      await trio.initiate();
    } catch (error) {
      await trio.stop();
      throw error;
    }
    return trio;
  }

  uri(database: string): string {
    return `mongodb://${this.hosts().join(',')}/${database}?replicaSet=trio&heartbeatFrequencyMS=500&connectTimeoutMS=2000`;
  }

  /** `host:port` of each member, as the set and its clients know it. */
  hosts(): string[] {
    return this.members.map(
      ({ settings }, index) => `127.0.0.1:${String(this.proxies[index]?.port ?? settings.port)}`,
    );
  }

  /** Keeps the secondaries from copying, so that nothing new is confirmed by the majority. */
  async stall(on: boolean): Promise<void> {
    const primary = await this.primary();
    const mode = on ? 'alwaysOn' : 'off';
    for (const member of this.members)
      if (member !== primary) await member.admin({ configureFailPoint: 'stopReplProducer', mode });
  }

  /** Kills the primary without a word. The set elects another one. */
  async killPrimary(): Promise<void> {
    const primary = await this.primary();
    await primary.kill();
    await this.primary();
  }

  /** Waits until there is one. After a frozen one is thawed two may hold themselves for it: the later elected counts. */
  async primary(): Promise<MongodProcess> {
    let found: MongodProcess | undefined;
    await until(async () => (found = await this.findPrimary()) !== undefined, ELECTION_LIMIT_MS, 50);
    return found!;
  }

  async findPrimary(): Promise<MongodProcess | undefined> {
    const hellos = await Promise.all(this.members.map((member) => member.hello()));
    let latest = -1;
    let primary: MongodProcess | undefined;
    hellos.forEach((hello, index) => {
      const term = hello?.['isWritablePrimary'] === true ? termOf(hello) : -1;
      if (term > latest) [latest, primary] = [term, this.members[index]];
    });
    return primary;
  }

  /** Whether there is a primary and all others follow it. */
  async isWhole(): Promise<boolean> {
    const hellos = await Promise.all(this.members.map((member) => member.hello()));
    const primaries = hellos.filter((hello) => hello?.['isWritablePrimary'] === true).length;
    const secondaries = hellos.filter((hello) => hello?.['secondary'] === true).length;
    return primaries === 1 && secondaries === this.members.length - 1;
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private async initiate(): Promise<void> {
    const [first] = this.members;
    const members = this.hosts().map((host, _id) => ({ _id, host }));
    const settings = { electionTimeoutMillis: ELECTION_TIMEOUT_MS, heartbeatIntervalMillis: 500 };
    await until(
      async () => {
        if (!this.members.every(({ isRunning }) => isRunning))
          throw new Error('A mongod ended right after its start.');
        try {
          await first?.admin({ replSetInitiate: { _id: 'trio', members, settings } });
          return true;
        } catch (error) {
          // 23: the try before was heard, though its answer was not.
          return (error as { code?: unknown }).code === 23;
        }
      },
      START_LIMIT_MS,
      100,
    );
    await this.primary();
  }
}

/** The election's term; the last bytes of the id that the primary of a term gives itself. */
export function termOf(hello: Record<string, unknown>): number {
  const id = hello['electionId'] as { toHexString(): string } | undefined;
  return id ? Number.parseInt(id.toHexString().slice(8), 16) : 0;
}
