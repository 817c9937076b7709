import type { LogChange } from 'nest-offline-sync-protocol';
import type { ClientSocket } from '../environment.ts';

/** Whose token it is. */
export interface FakeSession {
  readonly scope: string;
  readonly actor: string;
}

/** The client's end of a socket of the fake server. */
export class FakeSocket implements ClientSocket {
  onopen: ClientSocket['onopen'] = null;
  onmessage: ClientSocket['onmessage'] = null;
  onclose: ClientSocket['onclose'] = null;
  onerror: ClientSocket['onerror'] = null;
  isClosed = false;

  /** @param closed called once, by either side */
  constructor(
    private readonly told: (text: string) => void,
    private readonly closed: () => void,
  ) {}

  send(text: string): void {
    if (!this.isClosed) this.told(text);
  }

  close(code = 1000): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.closed();
    void Promise.resolve().then(() => this.onclose?.({ code }));
  }

  opened(): void {
    if (!this.isClosed) this.onopen?.(undefined as never);
  }

  give(message: object | LogChange): void {
    this.say(JSON.stringify(message));
  }

  say(text: string): void {
    if (!this.isClosed) this.onmessage?.({ data: text });
  }
}
