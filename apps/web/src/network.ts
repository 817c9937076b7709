import type { ClientSocket, Environment, FetchAnswer } from 'nest-offline-sync-client';

/** One exchange with the server, for people to read. */
export interface Step {
  readonly id: number;
  readonly at: number;
  readonly who: string;
  /** `POST /push`, `socket ↑ push`, `socket ↓ entry`. */
  readonly what: string;
  readonly body: unknown;
}

const KEPT = 60;
let steps = 0;

/** The newest exchanges of all phones, newest first. */
export class Wire {
  private all: readonly Step[] = [];
  private readonly listeners = new Set<() => void>();
  private isTelling = false;

  get current(): readonly Step[] {
    return this.all;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  add(who: string, what: string, body: unknown): void {
    this.all = [{ id: ++steps, at: Date.now(), who, what, body }, ...this.all].slice(0, KEPT);
    if (this.isTelling) return;
    this.isTelling = true;
    // Once a frame: thousands of entries may come in a second.
    requestAnimationFrame(() => {
      this.isTelling = false;
      for (const listener of this.listeners) listener();
    });
  }
}

/** The network of one phone: a switch that cuts what is on its way too, and a record of what goes through. */
export class Network {
  private isOnline = true;
  private readonly running = new Set<AbortController>();
  private readonly sockets = new Set<SwitchedSocket>();
  private readonly wakers = new Set<() => void>();
  private readonly watchers = new Set<() => void>();

  constructor(
    private readonly who: string,
    private readonly wire: Wire,
  ) {}

  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    return () => this.watchers.delete(changed);
  }

  get online(): boolean {
    return this.isOnline;
  }

  set online(online: boolean) {
    this.isOnline = online;
    if (online) for (const wake of this.wakers) wake();
    else {
      for (const each of this.running) each.abort();
      for (const socket of this.sockets) socket.cut();
    }
    for (const changed of this.watchers) changed();
  }

  readonly environment: Partial<Environment> = {
    fetch: (url, request) => this.fetch(url, request),
    socket: (url) => {
      const socket = new SwitchedSocket(url, this.isOnline, (what, body) =>
        this.wire.add(this.who, what, body),
      );
      this.sockets.add(socket);
      socket.onend = () => this.sockets.delete(socket);
      return socket;
    },
    onWake: (call) => {
      this.wakers.add(call);
      return () => this.wakers.delete(call);
    },
  };

  private async fetch(url: string, request: Parameters<Environment['fetch']>[1]): Promise<FetchAnswer> {
    if (!this.isOnline) throw new TypeError('The phone is offline.');
    const cut = new AbortController();
    this.running.add(cut);
    const what = `${request.method} ${new URL(url, location.href).pathname}`;
    try {
      const { signal } = request;
      const signals = [cut.signal, ...(signal instanceof AbortSignal ? [signal] : [])];
      const answer = await fetch(url, { ...request, signal: AbortSignal.any(signals) });
      if (request.body !== undefined) this.wire.add(this.who, what, JSON.parse(request.body));
      else this.wire.add(this.who, what, { status: answer.status });
      return answer;
    } finally {
      this.running.delete(cut);
    }
  }
}

/** A WebSocket that a switch can cut. */
class SwitchedSocket implements ClientSocket {
  onopen: ClientSocket['onopen'] = null;
  onmessage: ClientSocket['onmessage'] = null;
  onclose: ClientSocket['onclose'] = null;
  onerror: ClientSocket['onerror'] = null;
  onend: (() => void) | undefined;
  private readonly socket: WebSocket | undefined;
  private isOver = false;

  constructor(
    url: string,
    isOnline: boolean,
    private readonly record: (what: string, body: unknown) => void,
  ) {
    if (!isOnline) {
      queueMicrotask(() => this.end(1006));
      return;
    }
    this.socket = new WebSocket(url);
    this.socket.onopen = () => this.onopen?.(undefined as never);
    this.socket.onclose = ({ code }) => this.end(code);
    this.socket.onmessage = ({ data }: MessageEvent<string>) => {
      if (this.isOver) return;
      const message = JSON.parse(data) as { readonly type?: string };
      if (message.type !== 'ping') this.record(`socket ↓ ${message.type ?? 'entry'}`, message);
      this.onmessage?.({ data });
    };
  }

  send(text: string): void {
    if (this.isOver) return;
    const { token, ...message } = JSON.parse(text) as Record<string, unknown>;
    const type = String(message['type']);
    if (type !== 'ack')
      this.record(`socket ↑ ${type}`, token === undefined ? message : { ...message, token: '…' });
    this.socket?.send(text);
  }

  close(code?: number): void {
    this.isOver = true;
    this.onend?.();
    this.socket?.close(code);
  }

  cut(): void {
    this.socket?.close();
    this.end(1006);
  }

  private end(code: number): void {
    if (this.isOver) return;
    this.isOver = true;
    this.onend?.();
    this.onclose?.({ code });
  }
}
