import type { ClientSocket, ClientStorage, Fetch } from 'nest-offline-sync-client';
import { settle } from 'nest-offline-sync-client/testing';

/**
 * Counts the moments at which a client waits for something: a storage, an answer, a token; and lets something happen at the n-th of
 * them, in the middle of whatever the client does there.
 */
export class AwaitPoints {
  count = 0;
  private chosen: { readonly at: number; readonly call: () => void; readonly holds: boolean } | undefined;

  /** @param holds what was waited for is there only after everything else has gone on */
  at(point: number, call: () => void, holds: boolean): void {
    this.chosen = { at: point, call, holds };
  }

  /** Nothing happens any more. @returns whether it has happened */
  end(): boolean {
    const { chosen } = this;
    this.chosen = undefined;
    return chosen !== undefined && this.count >= chosen.at;
  }

  /** One point before the work begins and one after it has taken effect. */
  async around<T>(work: () => Promise<T>): Promise<T> {
    await this.point();
    const result = await work();
    await this.point();
    return result;
  }

  storage(inside: ClientStorage): ClientStorage {
    return {
      kind: inside.kind,
      open: async (name) => {
        const database = await this.around(() => inside.open(name));
        return {
          name,
          transaction: (mode, stores, body) => this.around(() => database.transaction(mode, stores, body)),
          estimate: () => database.estimate(),
          persist: () => database.persist(),
          onLost: (listener) => database.onLost(listener),
          close: () => this.around(() => database.close()),
        };
      },
      remove: (name) => this.around(() => inside.remove(name)),
      list: () => inside.list(),
    };
  }

  fetch(inside: Fetch): Fetch {
    return (url, request) => this.around(() => inside(url, request));
  }

  /** Each message of the server is a point, in the order in which they come. */
  socket(inside: (url: string) => ClientSocket): (url: string) => ClientSocket {
    return (url) => {
      const socket = inside(url);
      const all: ClientSocket = {
        onopen: null,
        onmessage: null,
        onclose: null,
        onerror: null,
        send: (text) => socket.send(text),
        close: (code) => socket.close(code),
      };
      let last: Promise<void> = Promise.resolve();
      const then = (call: () => void): void => {
        last = last.then(() => this.point()).then(call);
      };
      socket.onopen = (event) => then(() => all.onopen?.(event));
      socket.onmessage = (event) => then(() => all.onmessage?.(event));
      socket.onclose = (event) => then(() => all.onclose?.(event));
      return all;
    };
  }

  private async point(): Promise<void> {
    this.count += 1;
    const { chosen } = this;
    if (chosen?.at !== this.count) return;
    chosen.call();
    if (chosen.holds) await settle();
  }
}
