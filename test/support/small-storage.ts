import {
  memory,
  StorageFullError,
  type ClientStorage,
  type Marks,
  type Stores,
} from 'nest-offline-sync-client';

/**
 * A device with little room, that a platform clears: a transaction that writes more characters than there is room for fails, and
 * `clear` takes the databases and leaves the marks, as a browser does.
 */
export class SmallStorage implements ClientStorage {
  readonly kind = 'small';
  room = Infinity;
  readonly notes = new Map<string, string>();
  persists = 0;
  private inside = memory();

  readonly marks: Marks = {
    get: (name: string) => this.notes.get(name) ?? null,
    set: (name: string, text: string | null) =>
      text === null ? this.notes.delete(name) : this.notes.set(name, text),
  };

  async clear(): Promise<void> {
    const { inside } = this;
    this.inside = memory();
    for (const name of await inside.list()) await inside.remove(name);
  }

  list(): Promise<readonly string[]> {
    return this.inside.list();
  }

  remove(name: string): Promise<void> {
    return this.inside.remove(name);
  }

  async open(name: string): ReturnType<ClientStorage['open']> {
    const database = await this.inside.open(name);
    return {
      name,
      transaction: (mode, stores, body) =>
        database.transaction(mode, stores, async (all) => {
          let size = 0;
          const result = await body(counted(all, (value) => (size += JSON.stringify(value).length)));
          if (size > this.room) throw new StorageFullError();
          return result;
        }),
      estimate: async () => ({ persisted: this.persists > 0, quota: this.room, usage: 0 }),
      persist: async () => {
        this.persists += 1;
        return true;
      },
      onLost: (listener) => database.onLost(listener),
      close: () => database.close(),
    };
  }
}

/** The same stores; what is put is told. */
function counted<T extends Partial<Stores>>(stores: T, put: (value: unknown) => void): T {
  const all = Object.entries(stores).map(([name, store]) => {
    const watched = Object.create(store) as Record<string, unknown>;
    watched['put'] = (...args: never[]) => {
      put(args.at(-1));
      return (store as unknown as { put(...given: never[]): Promise<void> }).put(...args);
    };
    return [name, watched];
  });
  return Object.fromEntries(all) as T;
}
