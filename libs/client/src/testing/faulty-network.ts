import type { ClientSocket, Fetch } from '../environment.ts';

/**
 * What becomes of a request.
 *
 *   pass      it goes through
 *   cut       it never reaches the server
 *   drop      the server answers, and the answer is lost: the request may have taken effect
 *   stall     it reaches the server, and the answer comes when `flow` is called
 */
export type Fate = 'pass' | 'cut' | 'drop' | 'stall';

interface Way {
  readonly fetch: Fetch;
  readonly socket?: ((url: string) => ClientSocket) | undefined;
}

/**
 * A network that fails when a test says so, between a client and any server, a fake or a real one:
 * `environment: { fetch: network.fetch, socket: network.socket }`.
 */
export class FaultyNetwork {
  private isOnline = true;
  private readonly fates: Fate[] = [];
  private readonly sockets = new Set<CutSocket>();
  private readonly stalled: (() => void)[] = [];

  constructor(private readonly way: Way) {}

  /** No request goes through, and open sockets go silent, as when a device loses its network. */
  offline(): void {
    this.isOnline = false;
  }

  /** Sockets that were open before are closed now: nothing that was missed comes late. */
  online(): void {
    this.isOnline = true;
    for (const socket of this.sockets) if (socket.hasMissed) socket.cut();
  }

  /** What becomes of the next requests, one after another; those after them pass. */
  next(...fates: readonly Fate[]): void {
    this.fates.push(...fates);
  }

  /** Closes all sockets without a word of the server. */
  cutSockets(): void {
    for (const socket of this.sockets) socket.cut();
  }

  /** What was stalled goes on. */
  flow(): void {
    for (const go of this.stalled.splice(0)) go();
  }

  readonly fetch: Fetch = async (url, request) => {
    const fate = this.isOnline ? (this.fates.shift() ?? 'pass') : 'cut';
    if (fate === 'cut') throw new TypeError('The network is cut.');
    const answer = await this.way.fetch(url, request);
    if (fate === 'stall') await new Promise<void>((go) => this.stalled.push(go));
    if (fate === 'drop' || !this.isOnline) throw new TypeError('The answer was lost.');
    return answer;
  };

  readonly socket = (url: string): ClientSocket => {
    const { socket } = this.way;
    if (!socket) throw new TypeError('The server behind this network has no socket.');
    const cut = new CutSocket(
      () => socket(url),
      () => this.isOnline,
      () => this.sockets.delete(cut),
    );
    this.sockets.add(cut);
    return cut;
  };
}

/** Code of a close without a close frame. */
const ABNORMAL = 1006;

class CutSocket implements ClientSocket {
  onopen: ClientSocket['onopen'] = null;
  onmessage: ClientSocket['onmessage'] = null;
  onclose: ClientSocket['onclose'] = null;
  onerror: ClientSocket['onerror'] = null;
  /** Something was said while the network was away. */
  hasMissed = false;
  private inner: ClientSocket | undefined;

  constructor(
    open: () => ClientSocket,
    private readonly passes: () => boolean,
    private readonly ended: () => void,
  ) {
    if (!passes()) {
      void Promise.resolve().then(() => {
        this.cut();
      });
      return;
    }
    const inner = open();
    this.inner = inner;
    inner.onopen = (event) => this.onopen?.(event);
    inner.onmessage = (event) => {
      if (passes()) this.onmessage?.(event);
      else this.hasMissed = true;
    };
    inner.onclose = (event) => {
      if (this.inner !== inner) return;
      this.inner = undefined;
      this.ended();
      this.onclose?.(event);
    };
  }

  send(text: string): void {
    if (this.passes()) this.inner?.send(text);
    else this.hasMissed = true;
  }

  close(code?: number): void {
    this.inner?.close(code);
  }

  cut(): void {
    const { inner } = this;
    this.inner = undefined;
    this.ended();
    inner?.close();
    this.onclose?.({ code: ABNORMAL });
  }
}
