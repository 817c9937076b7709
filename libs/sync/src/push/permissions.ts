import type { SyncedCollection } from '../collections/collection';
import type { CollectionAction } from '../collections/ports';
import type { SyncIdentity } from '../identity/identity';

/** What the identity may do, asked once for a request, collection and action. */
export class Permissions {
  private readonly answers = new Map<string, boolean>();
  private readonly asked = new Map<string, Promise<boolean>>();

  constructor(private readonly identity: SyncIdentity) {}

  /** The answer, where it was asked for before. */
  known({ name }: SyncedCollection, action: CollectionAction): boolean | undefined {
    return this.answers.get(keyOf(name, action));
  }

  async may(collection: SyncedCollection, action: CollectionAction): Promise<boolean> {
    const key = keyOf(collection.name, action);
    const asking = this.asked.get(key) ?? collection.authorize(this.identity, action);
    this.asked.set(key, asking);
    const answer = await asking;
    this.answers.set(key, answer);
    return answer;
  }
}

function keyOf(collection: string, action: CollectionAction): string {
  return `${action} ${collection}`;
}
