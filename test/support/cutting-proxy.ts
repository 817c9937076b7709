import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Stands between an app and its database and can lose one answer: the command takes effect, nobody hears of it. */
export class CuttingProxy {
  private armed: { command: string; times: number } | undefined;
  /** Answers that were lost. */
  cuts = 0;

  private constructor(
    private readonly server: Server,
    private readonly sockets: Set<Socket>,
  ) {}

  static async before(port: number): Promise<CuttingProxy> {
    const sockets = new Set<Socket>();
    const server = createServer();
    const proxy = new CuttingProxy(server, sockets);
    server.on('connection', (client) => {
      const upstream = connect(port, '127.0.0.1');
      proxy.join(client, upstream);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The answers to the next requests that name this command never arrive: their connections break instead. */
  loseAnswerTo(command: string, times = 1): void {
    this.armed = { command, times };
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private join(client: Socket, upstream: Socket): void {
    let cut = false;
    for (const [socket, peer] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        peer.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (this.armed && this.armed.times > 0 && bytes.includes(this.armed.command)) {
        this.armed.times -= 1;
        cut = true;
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (!cut) {
        client.write(bytes);
        return;
      }
      this.cuts += 1;
      client.destroy();
    });
  }
}
