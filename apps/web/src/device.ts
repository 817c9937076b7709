import { createSyncClient, LoggedOutError } from 'nest-offline-sync-client';
import { indexedDb } from 'nest-offline-sync-client/indexeddb';
import { lostChanges } from './lost.ts';
import { Network, type Wire } from './network.ts';
import { collections, identityOf, signIn, type Place, type Shop } from './shop.ts';

/** Who holds a phone. */
export interface Holder {
  /** Part of the names of its databases: each phone has its own. */
  readonly id: string;
  readonly name: string;
  readonly user: string;
  readonly business: string;
  readonly businessName: string;
}

/** What the phone's holder has to know of its database. */
export interface Notice {
  readonly text: string;
  /** It cannot be used. */
  readonly isClosed: boolean;
}

/** A phone: a client with a database and a network of its own. */
export class Device {
  readonly network: Network;
  readonly client: Shop;
  private told: Notice | undefined;
  private readonly watchers = new Set<() => void>();

  constructor(
    readonly holder: Holder,
    place: Place,
    wire: Wire,
  ) {
    const { id, name, user, business } = holder;
    this.network = new Network(name, wire);
    this.client = createSyncClient({
      url: new URL(place.sync, location.href).href,
      stream: new URL(place.stream, location.href).href.replace(/^http/, 'ws'),
      app: `phones.${id}`,
      storage: indexedDb(),
      auth: {
        token: () => this.token(user, business),
        identity: identityOf,
      },
      collections,
      environment: this.network.environment,
    });
    this.client.on('ended', (error) => error instanceof LoggedOutError || this.fails(error));
    this.client.on('storage-lost', ({ pendingLost }) =>
      this.tell({
        text: `The browser has removed the data of this phone. ${lostChanges(pendingLost)}`,
        isClosed: false,
      }),
    );
  }

  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    return () => this.watchers.delete(changed);
  }

  get notice(): Notice | undefined {
    return this.told;
  }

  /** Whether that has worked, {@link Device.notice} tells. */
  async open(): Promise<void> {
    try {
      await this.client.open();
      if (this.told?.isClosed) this.tell(undefined);
    } catch (error) {
      this.fails(error);
    }
  }

  tell(notice: Notice | undefined): void {
    this.told = notice;
    for (const changed of this.watchers) changed();
  }

  private fails(error: unknown): void {
    this.tell({ text: error instanceof Error ? error.message : String(error), isClosed: true });
  }

  /** A phone that is offline gets no token either. */
  private async token(user: string, business: string): Promise<string> {
    if (!this.network.online) throw new Error('The phone is offline.');
    return signIn(user, business);
  }
}
