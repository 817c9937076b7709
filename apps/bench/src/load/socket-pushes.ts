import { once } from 'node:events';
import WebSocket from 'ws';
import type { Exchange } from './connection';
import { collectGarbage, type Drive } from './drive';
import type { DevicePlan } from './push-plan';

/** How long an answer may take before the device gives up. */
const LIMIT_MS = 30_000;

/** What a device sends over its socket: ready, so that nothing is built in the timed region. */
interface SocketPlan {
  readonly authorization: string;
  readonly messages: readonly string[];
}

/** As messages of the socket. */
export function pushMessages(plans: readonly DevicePlan[], bearer: (scope: string) => string): SocketPlan[] {
  return plans.map(({ scope, pushes }, device) => ({
    authorization: bearer(scope),
    messages: pushes.map((changes, id) =>
      JSON.stringify({ type: 'push', id, client_id: `device-${String(device)}`, changes }),
    ),
  }));
}

/** As `drive`, over a socket each: a device sends its next push when it has the answer to the one before. */
export async function driveSockets(
  url: string,
  plans: readonly SocketPlan[],
  seconds: number,
): Promise<Drive> {
  const devices = await Promise.all(plans.map(({ authorization }) => SocketDevice.open(url, authorization)));
  collectGarbage();
  const started = performance.now();
  const until = started + seconds * 1000;
  try {
    const exchanges = await Promise.all(
      plans.map(async ({ messages }, place) => {
        const device = devices[place] as SocketDevice;
        const done: Exchange[] = [];
        for (const message of messages) {
          if (performance.now() >= until) break;
          done.push(await device.send(message));
        }
        return done;
      }),
    );
    return { exchanges, seconds: (performance.now() - started) / 1000 };
  } finally {
    for (const device of devices) device.close();
  }
}

class SocketDevice {
  private answered: (message: Buffer | undefined) => void = () => undefined;

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (message: Buffer) => {
      // {"type":"pushed",… and "push_failed": a ping is no answer.
      if (message.subarray(9, 13).toString('latin1') === 'push') this.answered(message);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.answered(undefined));
  }

  static async open(url: string, authorization: string): Promise<SocketDevice> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/sync/stream`, {
      perMessageDeflate: false,
      skipUTF8Validation: true,
      headers: { authorization },
    });
    await once(socket, 'open');
    return new SocketDevice(socket);
  }

  /** Status 200: pushed. 0: no answer. Else it failed. */
  async send(message: string): Promise<Exchange> {
    const sentAt = performance.now();
    const answer = await new Promise<Buffer | undefined>((resolve) => {
      const limit = setTimeout(() => resolve(undefined), LIMIT_MS);
      this.answered = (given) => {
        clearTimeout(limit);
        resolve(given);
      };
      this.socket.send(message);
    });
    const ms = performance.now() - sentAt;
    const status = !answer ? 0 : answer.subarray(9, 15).toString('latin1') === 'pushed' ? 200 : 503;
    const request = { method: 'POST', path: '/sync/stream', headers: {} } as const;
    return { request, status, headers: {}, body: answer ? [answer] : [], sentAt, firstByteMs: ms, ms };
  }

  close(): void {
    this.socket.terminate();
  }
}
