import { createSyncClient } from 'nest-offline-sync-client';
import { indexedDb } from 'nest-offline-sync-client/indexeddb';
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

/** A phone: a client with a database and a network of its own. */
export class Device {
  readonly network: Network;
  readonly client: Shop;

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
  }

  /** A phone that is offline gets no token either. */
  private async token(user: string, business: string): Promise<string> {
    if (!this.network.online) throw new Error('The phone is offline.');
    return signIn(user, business);
  }
}
