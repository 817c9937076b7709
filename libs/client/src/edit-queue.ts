import type { DocId } from 'nest-offline-sync-protocol';
import type { Work } from './work.ts';

/** An edit of one document, on its way into the storage. */
interface Waiting {
  readonly document: { readonly collection: string; readonly doc: DocId };
  /** Writes nothing if it fails. */
  readonly make: (work: Work) => Promise<unknown>;
  readonly resolve: (value: never) => void;
  readonly reject: (reason: unknown) => void;
}

/** So many edits do not keep the page waiting. */
const MOST = 200;

/**
 * Writes edits down, in the order of the calls. What an edit costs is the disk, once for each transaction: so those that come before the
 * one at hand has been written are written with it. Each promise still stands for its own edit, and is kept when that is durable.
 */
export class EditQueue {
  /** Of a transaction that still takes more. */
  private open: Waiting[] | undefined;

  /** @param write a durable transaction; its body may be run again */
  constructor(private readonly write: <T>(body: (work: Work) => Promise<T>) => Promise<T>) {}

  add<T>(document: Waiting['document'], make: (work: Work) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const edit: Waiting = { document, make, resolve, reject };
      if (this.open && this.open.length < MOST) this.open.push(edit);
      else void this.run([edit]);
    });
  }

  private async run(edits: Waiting[]): Promise<void> {
    this.open = edits;
    try {
      const ends = await this.write((work) => this.make(work, edits));
      for (const end of ends) end();
    } catch (error) {
      this.end(edits);
      const [only] = edits;
      if (edits.length === 1) return only?.reject(error);
      // It may be one of them that cannot be stored: the others must not go with it.
      for (const edit of edits) await this.run([edit]);
    }
  }

  private async make(work: Work, edits: readonly Waiting[]): Promise<(() => void)[]> {
    const ends: (() => void)[] = [];
    for (let at = 0; at < edits.length;) {
      const some = edits.slice(at);
      await Promise.all([work.counter(), work.documents.holdAll(some.map(({ document }) => document))]);
      for (const edit of some) ends.push(await ended(work, edit));
      at += some.length;
    }
    this.end(edits);
    return ends;
  }

  private end(edits: readonly Waiting[]): void {
    if (this.open === edits) this.open = undefined;
  }
}

/** Makes an edit. @returns what tells how that went */
async function ended(work: Work, { make, resolve, reject }: Waiting): Promise<() => void> {
  try {
    const value = await make(work);
    return () => resolve(value as never);
  } catch (error) {
    return () => reject(error);
  }
}
