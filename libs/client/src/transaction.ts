import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import {
  CollectionWriter,
  type CollectionDefinition,
  type DataOf,
  type Definitions,
  type DocumentOf,
  type Edited,
  type RawEdit,
  type Writer,
} from './collection.ts';
import { busy, makeEdits, refusal, stillSeen, type EditContext, type Intent } from './edits.ts';
import { UsageError } from './errors.ts';
import { randomId } from './ids.ts';
import type { Replica } from './replica.ts';
import { edit as edited } from './rules/chain.ts';
import { docKey, type Change } from './rules/mutation.ts';
import { changeBytes, type PushLimits } from './rules/push-plan.ts';

/** The collections as a transaction sees and edits them. */
export type TransactionOf<C extends Definitions> = {
  readonly [K in keyof C]: Writer<DocumentOf<C[K]>, DataOf<C[K]>>;
};

interface Seen {
  readonly collection: string;
  readonly doc: DocId;
  /** As it was when the transaction first looked. */
  readonly data: JsonObject | null;
}

const MAX_RUNS = 10;

export interface TransactionPorts extends Pick<EditContext, 'coalesces'> {
  readonly newId: (collection: string) => DocId;
  /** What goes to the server as one has to fit into a push. */
  readonly limits: PushLimits;
}

/**
 * Runs a body of edits that are made together or not at all, here and on the server. It sees its own edits; if what it has read is
 * changed by others before it ends, it runs again.
 */
export async function runTransaction<C extends Definitions, T>(
  replica: Replica,
  collections: C,
  ports: TransactionPorts,
  body: (collections: TransactionOf<C>) => Promise<T>,
): Promise<T> {
  const { environment } = replica;
  for (let run = 0; run < MAX_RUNS; run++) {
    const draft = new Draft(replica, ports.newId, ports.limits);
    const writers = Object.entries(collections as Readonly<Record<string, CollectionDefinition<object>>>).map(
      ([name, knows]) => [name, new CollectionWriter<object>(name, draft, knows)] as const,
    );
    const result = await body(Object.fromEntries(writers) as unknown as TransactionOf<C>);
    draft.end();
    if (draft.intents.length === 0) return result;
    const context = { editedAt: environment.now(), tx: randomId(environment), coalesces: ports.coalesces };
    const isMade = await replica.write('user', async (work) => {
      if (!(await stillSeen(work, draft.seen.values()))) return false;
      await makeEdits(work, draft.intents, context);
      return true;
    });
    if (isMade) return result;
  }
  throw busy();
}

/** What a transaction has read and will write. */
class Draft {
  readonly seen = new Map<string, Seen>();
  readonly intents: Intent[] = [];
  private readonly own = new Map<string, JsonObject | null>();
  private isOver = false;
  private bytes = 0;
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly replica: Replica,
    readonly newId: (collection: string) => DocId,
    private readonly limits: PushLimits,
  ) {}

  end(): void {
    this.isOver = true;
  }

  readonly look = async (collection: string, doc: DocId): Promise<JsonObject | null> => {
    this.expectOpen();
    const key = docKey(collection, doc);
    const own = this.own.get(key);
    if (own !== undefined) return own;
    const known = this.seen.get(key);
    if (known) return known.data;
    const [data = null] = await this.replica.look(collection, [doc]);
    this.seen.set(key, { collection, doc, data });
    return data;
  };

  /** One after another: each is made on what the ones before it leave. */
  readonly edit = async (edit: RawEdit): Promise<Edited> => {
    const made = this.last.then(() => this.make(edit));
    this.last = made.catch(() => undefined);
    return made;
  };

  private async make({ collection, id, kind, change, check }: RawEdit): Promise<Edited> {
    const before = await this.look(collection, id);
    this.expectOpen();
    const mutation = randomId(this.replica.environment);
    const isWrong = before ? kind === 'create' : kind === 'patch' || kind === 'delete';
    const asked: Change = isWrong ? { operation: 'delete' } : change(before);
    const made = check && !isWrong ? await check(before, asked) : asked;
    this.expectOpen();
    this.bytes += changeBytes(made);
    const { changes, bytes } = this.limits;
    if (this.intents.length >= changes || this.bytes > bytes)
      throw new UsageError(
        `A transaction is at most ${changes} edits and ${bytes / 1_048_576} MiB (option limits), so that the server takes it as one. Make several.`,
      );
    // The same rules as at the end, on what is seen now: what cannot be fails where it is written.
    const row = { id, version: null, data: before, generation: 0 };
    const trial = edited(
      [],
      row,
      { collection, doc: id, kind, change: made, id: mutation, seq: 0, editedAt: 0, seen: null },
      false,
    );
    if (!trial.ok) throw refusal(collection, id, trial);
    this.own.set(docKey(collection, id), trial.after);
    this.intents.push({ collection, doc: id, kind, change: () => made, mutation });
    return { id, mutation };
  }

  private expectOpen(): void {
    if (this.isOver) throw new UsageError('The transaction has ended: await its edits inside of its body.');
  }
}
