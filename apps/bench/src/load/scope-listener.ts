import { once } from 'node:events';
import WebSocket from 'ws';
import type { LogChange } from 'nest-offline-sync-protocol';
import { ZERO_STAMP } from '../workload/stamps';

export interface Heard {
  readonly scope: string;
  readonly entry: LogChange;
  /** performance.now() */
  readonly at: number;
}

/** One socket with a subscription to each of several scopes. */
export class ScopeListener {
  private readonly messages: { readonly text: Buffer; readonly at: number }[] = [];
  private entries = 0;
  private subscribed = 0;
  private looked: () => void = () => undefined;

  private constructor(private readonly socket: WebSocket) {
    socket.on('error', () => undefined);
    socket.on('message', (text: Buffer) => {
      const at = performance.now();
      // {"type": … is no entry. Of those the ones that name a scope count, and the confirmations.
      const isEntry = !(text[2] === 0x74 && text[3] === 0x79);
      const kind = isEntry ? 'entry' : /^\{"type":"(\w+)"/.exec(text.subarray(0, 40).toString('latin1'))?.[1];
      if (isEntry) this.entries += 1;
      if (kind === 'subscribed') this.subscribed += 1;
      if (isEntry || kind === 'scope') this.messages.push({ text, at });
      this.looked();
    });
  }

  /** Resolves when all scopes are confirmed. */
  static async open(url: string, authorization: string, scopes: readonly string[]): Promise<ScopeListener> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/sync/stream`, {
      perMessageDeflate: false,
      skipUTF8Validation: true,
      headers: { authorization },
    });
    const listener = new ScopeListener(socket);
    await once(socket, 'open');
    for (const scope of scopes)
      socket.send(
        JSON.stringify({ type: 'subscribe', scope, collections: ['notes'], ack: true, since: ZERO_STAMP }),
      );
    await listener.when(() => listener.subscribed >= scopes.length);
    return listener;
  }

  /** Resolves when that many entries have come, or when the limit is over. Milliseconds. */
  async until(entries: number, limitMs: number): Promise<void> {
    const limit = setTimeout(() => this.socket.terminate(), limitMs);
    await this.when(() => this.entries >= entries);
    clearTimeout(limit);
  }

  /**
   * What came, with the scope that the message before a run of entries named.
   *
   * @throws Error for an entry without a scope, and where the versions of a scope do not rise
   */
  heard(): Heard[] {
    let scope: string | undefined;
    const last = new Map<string, string>();
    return this.messages.flatMap(({ text, at }) => {
      const message = JSON.parse(text.toString('utf8')) as LogChange | { type: 'scope'; scope: string };
      if ('type' in message) {
        scope = message.scope;
        return [];
      }
      if (scope === undefined) throw new Error('An entry came before its scope');
      if (message.version <= (last.get(scope) ?? ''))
        throw new Error(`${message.version} came after a newer one of ${scope}`);
      last.set(scope, message.version);
      return [{ scope, entry: message, at }];
    });
  }

  close(): void {
    this.socket.terminate();
  }

  private async when(isSo: () => boolean): Promise<void> {
    const closed = once(this.socket, 'close').catch(() => undefined);
    while (!isSo() && this.socket.readyState <= WebSocket.OPEN)
      await Promise.race([closed, new Promise<void>((resolve) => (this.looked = resolve))]);
  }
}
