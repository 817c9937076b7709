import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CuttingProxy } from '../../support/cutting-proxy';
import { until } from '../../support/until';

const ROOT = join(__dirname, '../../..');
/** Two cores that do everything else too. */
const START_LIMIT_MS = 40_000;
const STOP_LIMIT_MS = 30_000;
const RESTART_LIMIT_MS = 90_000;

export interface ServerSettings {
  readonly name: string;
  readonly port: number;
  readonly mongoUri: string;
  readonly secret: string;
  /** For its log and its clock. */
  readonly folder: string;
  /** The app that it runs, as a TypeScript file. Default: the demo with what faults need. */
  readonly program?: string;
  /** Of its environment, besides the usual ones. */
  readonly variables?: Readonly<Record<string, string>>;
}

/**
 * One process of the demo, as a deployment would run several: it can be killed, frozen, stopped in order and started
 * again on its port, and its wall clock can be set wrong. Clients connect through its own proxy.
 */
export class ServerProcess {
  private child: ChildProcess | undefined;

  private constructor(
    readonly settings: ServerSettings,
    /** Between the clients and this process. */
    readonly proxy: CuttingProxy,
  ) {}

  static async create(settings: ServerSettings): Promise<ServerProcess> {
    return new ServerProcess(settings, await CuttingProxy.before(settings.port));
  }

  /** Where clients find it. */
  get url(): string {
    return `http://127.0.0.1:${String(this.proxy.port)}`;
  }

  get isRunning(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** @throws Error when it does not answer in time */
  async start(): Promise<void> {
    const { name, port, mongoUri, secret, variables, program = join(__dirname, 'server.ts') } = this.settings;
    const hooks = ['-r', join(ROOT, 'test/support/ts-hook.cjs'), '-r', join(__dirname, 'shifted-clock.cjs')];
    this.child = spawn(process.execPath, [...hooks, program], {
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        NODE_ENV: 'production',
        LOG_JSON: '1',
        LOG_LEVEL: 'warn',
        PORT: String(port),
        MONGODB_URI: `${mongoUri}&appName=${name}`,
        JWT_SECRET: secret,
        // A notice that a broken change stream lost is made up for within this time.
        SYNC_SCOPE_CHECK_INTERVAL_MS: '8000',
        CLOCK_FILE: this.clockFile,
        ...variables,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = createWriteStream(join(this.settings.folder, `${name}.log`), { flags: 'a' });
    this.child.stdout?.pipe(log, { end: false });
    this.child.stderr?.pipe(log, { end: false });
    await until(() => this.answers(), START_LIMIT_MS, 100);
  }

  /**
   * As a supervisor does: again and again, while the database is away.
   *
   * @throws Error when it still does not run after a minute and a half
   */
  async restart(): Promise<void> {
    const deadline = performance.now() + RESTART_LIMIT_MS;
    for (;;) {
      try {
        await this.start();
        return;
      } catch (error) {
        await this.kill();
        if (performance.now() > deadline) throw error;
      }
    }
  }

  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Takes no more requests, finishes what it is doing, ends. One that does not end is killed, and that is an error. */
  async stop(): Promise<void> {
    if (!(await this.end('SIGTERM'))) {
      await this.end('SIGKILL');
      throw new Error(`${this.settings.name} did not stop within ${String(STOP_LIMIT_MS)} ms of SIGTERM.`);
    }
  }

  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  /** Sets its wall clock wrong, now and at its next starts. 0: right again. */
  shiftClock(ms: number): void {
    writeFileSync(this.clockFile, String(ms));
    if (this.isRunning) this.child?.kill('SIGUSR2');
  }

  async close(): Promise<void> {
    await this.end('SIGKILL');
    await this.proxy.close();
  }

  private get clockFile(): string {
    return join(this.settings.folder, `${this.settings.name}.clock`);
  }

  /** Past the proxy. Any answer will do: the database may just be away. */
  private async answers(): Promise<boolean> {
    if (!this.isRunning) {
      const { folder, name } = this.settings;
      const last = readFileSync(join(folder, `${name}.log`), 'utf8')
        .trimEnd()
        .split('\n')
        .slice(-5);
      throw new Error(`${name} ended instead of starting:\n${last.join('\n')}`);
    }
    const url = `http://127.0.0.1:${String(this.settings.port)}/health`;
    return fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
      (response) => response.arrayBuffer().then(() => true),
      () => false,
    );
  }

  private async end(signal: NodeJS.Signals): Promise<boolean> {
    const { child } = this;
    if (!child || !this.isRunning) return true;
    const gone = once(child, 'exit').then(() => true);
    child.kill(signal);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), STOP_LIMIT_MS)));
    return Promise.race([gone, late]).finally(() => clearTimeout(timer));
  }
}
