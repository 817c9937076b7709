import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { SlowPipe, type Weather } from './slow-pipe';

/** A connection through the proxy. */
interface Line {
  readonly client: Socket;
  readonly upstream: Socket;
  readonly requests: SlowPipe;
  readonly answers: SlowPipe;
  /** The next answer is lost. */
  deaf: boolean;
}

/** Stands between two programs, such as an app and its database, and is as bad a network as a test asks for. */
export class CuttingProxy {
  private armed: { command: string; times: number } | undefined;
  private readonly lines = new Set<Line>();
  private readonly weather: Weather = { holding: false, delayMs: 0 };
  private readonly halves = { requests: 0, answers: 0 };
  /** Answers that were lost. */
  cuts = 0;

  private constructor(
    private readonly server: Server,
    private target: number,
  ) {}

  /** @param port that of the program behind; {@link aim} sets it later when it is not known yet */
  static async before(port: number): Promise<CuttingProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new CuttingProxy(server, port);
    server.on('connection', (client) => proxy.join(client));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** New connections go to this port. */
  aim(port: number): void {
    this.target = port;
  }

  /** The answers to the next requests that name this command never arrive: their connections break instead. */
  loseAnswerTo(command: string, times = 1): void {
    this.armed = { command, times };
  }

  /** Breaks every connection; new ones are taken. Gives how many there were. */
  cutAll(): number {
    const { size } = this.lines;
    for (const { client } of this.lines) client.resetAndDestroy();
    return size;
  }

  /** This many of the next requests, or answers, break off in the middle, with their connections. */
  cutInMidMessage(which: 'requests' | 'answers', times: number): void {
    this.halves[which] = times;
  }

  /** What is sent from now on, either way, arrives that many milliseconds late; 0: immediately. */
  delay(ms: number): void {
    this.weather.delayMs = ms;
  }

  /** Nothing passes, and nobody notices, until it is released; then all of it arrives, as after a cable is plugged in again. */
  hold(on: boolean): void {
    this.weather.holding = on;
    for (const { requests, answers } of this.lines) {
      requests.flow();
      answers.flow();
    }
  }

  async close(): Promise<void> {
    for (const line of this.lines) {
      line.requests.close();
      line.answers.close();
      line.client.destroy();
      line.upstream.destroy();
    }
    await new Promise((resolve) => this.server.close(resolve));
  }

  private join(client: Socket): void {
    const upstream = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true });
    const requests = new SlowPipe(this.weather);
    const answers = new SlowPipe(this.weather);
    const line: Line = { client, upstream, requests, answers, deaf: false };
    this.lines.add(line);
    for (const [socket, peer, pipe] of [
      [client, upstream, requests],
      [upstream, client, answers],
    ] as const) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.lines.delete(line);
        peer.destroy();
        pipe.close();
      });
      // Not before what is still under way has arrived.
      socket.on('end', () => pipe.send(() => peer.end()));
    }
    client.on('data', (bytes) => {
      if (this.armed && this.armed.times > 0 && bytes.includes(this.armed.command)) {
        this.armed.times -= 1;
        line.deaf = true;
      }
      requests.send(() => this.ask(line, bytes));
    });
    upstream.on('data', (bytes) => answers.send(() => this.answer(line, bytes)));
  }

  private ask({ client, upstream }: Line, bytes: Buffer): void {
    if (this.takeHalf('requests', bytes)) {
      upstream.write(bytes.subarray(0, bytes.length >> 1), () => client.destroy());
    } else if (!upstream.destroyed) upstream.write(bytes);
  }

  private answer({ client, deaf }: Line, bytes: Buffer): void {
    if (deaf) {
      this.cuts += 1;
      client.destroy();
    } else if (this.takeHalf('answers', bytes)) {
      client.write(bytes.subarray(0, bytes.length >> 1), () => client.destroy());
    } else if (!client.destroyed) client.write(bytes);
  }

  private takeHalf(which: 'requests' | 'answers', bytes: Buffer): boolean {
    if (this.halves[which] === 0 || bytes.length < 2) return false;
    this.halves[which] -= 1;
    this.cuts += 1;
    return true;
  }
}
