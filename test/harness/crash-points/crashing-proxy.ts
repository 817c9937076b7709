import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { CrashPoint } from './crash-point';
import { ProxiedConnection } from './proxied-connection';
import type { WireCommand } from './wire-frames';

/**
 * Sits between one process and the database, reads each command, and stops a case at a given step.
 *
 * To the database a stopped case is a process that died: its transaction stays open. Many
 * cases stop one after another in one process; {@link kill} then takes the process away from all of them at once.
 */
export class CrashingProxy {
  private readonly points = new Map<number, CrashPoint>();
  private readonly transactions = new Map<string, CrashPoint>();
  private readonly clients = new Set<Socket>();
  private readonly connections = new Set<ProxiedConnection>();
  private killed = false;

  private constructor(
    private readonly server: Server,
    private readonly upstreamPort: number,
  ) {
    server.on('connection', (client) => this.join(client));
  }

  static async before(port: number): Promise<CrashingProxy> {
    const server = createServer();
    const proxy = new CrashingProxy(server, port);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  watch(point: CrashPoint): void {
    this.points.set(point.id, point);
  }

  /**
   * The process is dead: the database sees its connections break, and no other comes. What runs of it gets no answer to
   * what it waits for, not even an error: after an error it would continue.
   */
  kill(): void {
    this.killed = true;
    for (const connection of this.connections) connection.sever();
  }

  async close(): Promise<void> {
    this.kill();
    for (const client of this.clients) client.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private join(client: Socket): void {
    this.clients.add(client);
    client.on('close', () => this.clients.delete(client));
    if (this.killed) return;
    const upstream = connect(this.upstreamPort, '127.0.0.1');
    const connection = new ProxiedConnection(client, upstream, (...command) => this.ownerOf(...command));
    this.connections.add(connection);
    client.on('close', () => this.connections.delete(connection));
  }

  /** The case that a command belongs to: it names the case, or is part of a transaction whose first command did. */
  private ownerOf({ transaction }: WireCommand, frame: Buffer): CrashPoint | undefined {
    const known = transaction === undefined ? undefined : this.transactions.get(transaction);
    if (known) return known;
    const id = /case-(\d+)-/.exec(frame.toString('latin1'))?.[1];
    const point = id === undefined ? undefined : this.points.get(Number(id));
    if (point && transaction !== undefined) this.transactions.set(transaction, point);
    return point;
  }
}
