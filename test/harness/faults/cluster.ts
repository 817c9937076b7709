import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inSeconds, testToken } from '../../support/jwt';
import { freePort } from '../../support/mongod-process';
import { ReplicaTrio } from '../../support/replica-trio';
import { until } from '../../support/until';
import { SmallDisk } from './small-disk';
import { ServerProcess } from './server-process';

const WHOLE_LIMIT_MS = 60_000;
/** The member whose data lie on a disk that can be filled, when the machine lets us mount one. */
export const SMALL_DISK_MEMBER = 2;

export interface ClusterOptions {
  readonly servers: number;
  /** Whether one member's data is on its own small disk. Default: no. */
  readonly smallDisk?: boolean;
}

/**
 * A deployment for faults: three mongods, a proxy before each (the members and the servers know them by the proxies'
 * ports), several server processes, and a proxy before each of these for the clients.
 */
export class FaultCluster {
  private constructor(
    readonly trio: ReplicaTrio,
    readonly servers: readonly ServerProcess[],
    readonly disk: SmallDisk | undefined,
    readonly folder: string,
    private readonly secret: string,
  ) {}

  static async start({ servers: count, smallDisk = false }: ClusterOptions): Promise<FaultCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'nos-faults-'));
    const disk = smallDisk ? SmallDisk.mount(join(folder, 'disk')) : undefined;
    const diskOf = (index: number): string | undefined =>
      index === SMALL_DISK_MEMBER ? disk?.folder : undefined;
    const trio = await ReplicaTrio.start({ proxied: true, disk: diskOf }).catch((error: unknown) => {
      disk?.unmount();
      rmSync(folder, { recursive: true, force: true });
      throw error;
    });
    const secret = randomBytes(32).toString('hex');
    const servers: ServerProcess[] = [];
    const cluster = new FaultCluster(trio, servers, disk, folder, secret);
    try {
      const mongoUri = `mongodb://${trio.hosts().join(',')}/faults?replicaSet=trio`;
      for (let index = 0; index < count; index += 1)
        servers.push(
          await ServerProcess.create({
            name: `server${String(index)}`,
            port: await freePort(),
            mongoUri,
            secret,
            folder,
          }),
        );
      for (const server of servers) await server.start();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get urls(): string[] {
    return this.servers.map(({ url }) => url);
  }

  /** Valid longer than any run, whatever a server's clock says. */
  token(scope: string, user: string): string {
    return testToken({
      payload: { user_id: user, business_id: scope, exp: inSeconds(24 * 3600) },
      key: this.secret,
    });
  }

  /** Waits until the set has a primary that all others follow. */
  async whole(limitMs = WHOLE_LIMIT_MS): Promise<void> {
    await until(() => this.trio.isWhole(), limitMs, 100);
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close()));
    await this.trio.stop();
    this.disk?.unmount();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
