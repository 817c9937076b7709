import type { StoreName, Stores } from '../storage.ts';
import { storageError } from './failure.ts';
import { documents, keyed, type Operate } from './records.ts';
import { endOf } from './requests.ts';
import { SegmentedStore } from './segments.ts';

/** The object stores behind each store. */
export const OBJECT_STORES: { readonly [S in StoreName]: readonly string[] } = {
  base: ['segments', 'loose'],
  view: ['view'],
  outbox: ['outbox'],
  rejected: ['rejected'],
  meta: ['meta'],
};

/** A transaction: what its body may do, and whether all of that worked. */
export class Scope<S extends StoreName> {
  readonly stores: Pick<Stores, S>;
  isSpoiled = false;
  private reason: unknown;
  private readonly pending: Promise<unknown>[] = [];
  private readonly end: Promise<void>;

  constructor(
    private readonly transaction: IDBTransaction,
    stores: readonly S[],
  ) {
    this.end = endOf(transaction);
    this.end.catch(() => undefined);
    // In one that reads, the browser refuses the writes.
    const of = (name: string) => transaction.objectStore(name);
    const all: { readonly [N in StoreName]: () => Stores[N] } = {
      base: () => new SegmentedStore(of('segments'), of('loose'), this.operate),
      view: () => documents(of('view'), this.operate),
      outbox: () => keyed(of('outbox'), this.operate),
      rejected: () => keyed(of('rejected'), this.operate),
      meta: () => keyed(of('meta'), this.operate),
    };
    this.stores = Object.fromEntries(stores.map((name) => [name, all[name]()])) as Pick<Stores, S>;
  }

  /** Resolves when the browser has it; rejects when an operation failed, whether or not the body has noticed. */
  async commit(): Promise<void> {
    await Promise.all(this.pending);
    try {
      this.transaction.commit();
    } catch {
      // It commits by itself, or an operation has failed.
    }
    try {
      await this.end;
    } catch (error) {
      this.spoil(error);
    }
    if (this.isSpoiled) throw this.reason;
  }

  /** Resolves when it is taken back, with why it had to be, if that was not the body's wish. */
  async abort(): Promise<unknown> {
    let isOver = false;
    try {
      this.transaction.abort();
    } catch {
      isOver = true;
    }
    const end: unknown = await this.end.catch((error: unknown) => error);
    if (!this.isSpoiled) return undefined;
    // When the browser has ended it, what the operations say of that comes second.
    return isOver ? (end ?? this.reason) : this.reason;
  }

  private readonly operate: Operate = (work) => {
    const operation = this.begin(work);
    operation.catch(() => undefined);
    this.pending.push(operation);
    return operation;
  };

  private async begin<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.spoil(error);
      throw storageError(error);
    }
  }

  private spoil(error: unknown): void {
    if (!this.isSpoiled) this.reason = error;
    this.isSpoiled = true;
  }
}
