import type { NestExpressApplication } from '@nestjs/platform-express';
import type { IncomingMessage } from 'node:http';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { readEnvironment } from '../../../apps/demo/src/config/environment';
import { createServer } from '../../../apps/demo/src/server';
import { portOf } from '../../../apps/demo/src/start/single';
import { BrowserDevice } from '../../harness/devices/device';
import type { User } from '../../harness/devices/events';
import { Journal } from '../../harness/devices/journal';
import { ServerEye } from '../../harness/devices/server-state';
import { testDatabase } from '../../support/database';
import { demoClient } from '../../support/demo-client';
import { PageServer } from '../../support/page-server';
import type { DeviceCalls } from './page/device';

/** The demo with MongoDB, and profiles of a real browser that reach it through proxies that cut. */
export class BrowserWorld {
  readonly journal = new Journal();
  readonly eye: ServerEye;
  /** That are open at the server. */
  readonly sockets = new Set<Duplex>();
  private readonly devices: BrowserDevice[] = [];

  private constructor(
    private readonly app: NestExpressApplication,
    readonly page: PageServer,
    private readonly folder: string,
  ) {
    this.eye = new ServerEye(this.url);
    app.getHttpServer().on('upgrade', (_: IncomingMessage, socket: Duplex) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  /** @param file the name of the test */
  static async start(file: string, variables: NodeJS.ProcessEnv = {}): Promise<BrowserWorld> {
    const app = await createServer(
      readEnvironment({
        MONGODB_URI: testDatabase(file).uri,
        ...{ PORT: '0', LOG_LEVEL: 'error', ...variables },
      }),
    );
    app.enableCors();
    await app.listen(0);
    const page = await PageServer.of(join(__dirname, 'page/device.ts'));
    return new BrowserWorld(app, page, await mkdtemp(join(tmpdir(), 'sync-client-')));
  }

  async user(name: string, business: string): Promise<User> {
    return { name, business, token: (await demoClient(this.url, name, business)).token };
  }

  /** With a profile of its own, and the page loaded. */
  async device(name: string): Promise<BrowserDevice> {
    const folder = join(this.folder, name);
    await mkdir(folder);
    const { journal, app } = this;
    const device = new BrowserDevice({ name, folder, journal, port: portOf(app) }, this.page.url);
    this.devices.push(device);
    await device.start();
    return device;
  }

  async close(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.close()));
    await this.page.close();
    await this.app.close();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private get url(): string {
    return `http://127.0.0.1:${String(portOf(this.app))}`;
  }
}

/** Calls a function of page/device.ts in the page of a device. */
export function ask<N extends keyof DeviceCalls>(
  device: BrowserDevice,
  name: N,
  ...args: Parameters<DeviceCalls[N]>
): Promise<Awaited<ReturnType<DeviceCalls[N]>>> {
  return device.page.evaluate(
    ([which, given]) => {
      const { calls } = globalThis as unknown as { calls: Record<string, (...of: unknown[]) => unknown> };
      return calls[which]?.(...given);
    },
    [name, args] as [string, unknown[]],
  ) as Promise<Awaited<ReturnType<DeviceCalls[N]>>>;
}
