import type { DocId } from 'nest-offline-sync-protocol';
import { Value, type Observable } from './observable.ts';
import type { Replica } from './replica.ts';
import { sameJson } from './rules/fields.ts';

/** How one document stands. */
export interface DocumentSync {
  /** Edits that the server has not answered. */
  readonly pending: number;
  /** Entries in quarantine that concern it. */
  readonly rejected: number;
  /** Of the server's document, as far as it was read; null: none. */
  readonly version: string | null;
}

const UNKNOWN: DocumentSync = { pending: 0, rejected: 0, version: null };

/** Follows a document from its first subscriber to its last, through logins. */
export class DocumentState implements Observable<DocumentSync> {
  private readonly value = new Value(UNKNOWN);
  private end: (() => void) | undefined;
  /** Looks come one after another, so that the last one wins. */
  private looking: Promise<void> = Promise.resolve();

  constructor(
    private readonly replicas: Observable<Replica | undefined>,
    private readonly collection: string,
    private readonly id: DocId,
  ) {}

  get current(): DocumentSync {
    return this.value.current;
  }

  subscribe(listener: (value: DocumentSync) => void): () => void {
    const leave = this.value.subscribe(listener);
    this.end ??= this.begin();
    return () => {
      leave();
      if (this.value.isWatched) return;
      this.end?.();
      this.end = undefined;
    };
  }

  private begin(): () => void {
    let leave: (() => void) | undefined;
    const follow = (replica: Replica | undefined): void => {
      leave?.();
      this.set(UNKNOWN);
      leave = replica?.onChange(({ documents, rejectedChanged }) => {
        const isOurs = documents.some(([name, id]) => name === this.collection && id === this.id);
        if (isOurs || rejectedChanged) this.look(replica);
      });
      if (replica) this.look(replica);
    };
    const leaveClient = this.replicas.subscribe(follow);
    follow(this.replicas.current);
    return () => {
      leaveClient();
      leave?.();
    };
  }

  private look(replica: Replica): void {
    this.looking = this.looking
      .then(async () => {
        const now = await standing(replica, this.collection, this.id);
        if (this.replicas.current === replica) this.set(now);
      })
      // A database that is gone says nothing more; the next one is followed.
      .catch(() => undefined);
  }

  private set(now: DocumentSync): void {
    if (!sameJson({ ...now }, { ...this.current })) this.value.set(now);
  }
}

async function standing(replica: Replica, collection: string, id: DocId): Promise<DocumentSync> {
  const isOurs = (name: string, doc: DocId): boolean => name === collection && doc === id;
  const [row] = await replica.database.transaction('read', ['base'], ({ base }) =>
    base.get(collection, [id]),
  );
  const refused = await replica.refused();
  return {
    pending: replica.pending().filter((each) => isOurs(each.collection, each.doc)).length,
    rejected: refused.filter(({ changes }) => changes.some((each) => isOurs(each.collection, each.id)))
      .length,
    version: row?.version ?? null,
  };
}
