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
  session: FakeSession | undefined;
  private isClosed = false;

  constructor(private readonly told: (text: string) => void) {}

  send(text: string): void {
    if (!this.isClosed) this.told(text);
  }

  close(code = 1000): void {
    if (this.isClosed) return;
    this.isClosed = true;
    void Promise.resolve().then(() => this.onclose?.({ code }));
  }

  opened(): void {
    if (!this.isClosed) this.onopen?.(undefined as never);
  }

  give(message: object | LogChange): void {
    if (!this.isClosed) this.onmessage?.({ data: JSON.stringify(message) });
  }
}
