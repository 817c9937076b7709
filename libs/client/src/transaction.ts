import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import {
  CollectionWriter,
  type Definitions,
  type DocumentOf,
  type Edited,
  type RawEdit,
  type Writer,
} from './collection.ts';
import { makeEdits, refusal, stillSeen, type EditContext, type Intent } from './edits.ts';
import { UsageError } from './errors.ts';
import { randomId } from './ids.ts';
import type { Replica } from './replica.ts';
import { edit as edited } from './rules/chain.ts';
import { docKey } from './rules/mutation.ts';

/** The collections as a transaction sees and edits them. */
export type TransactionOf<C extends Definitions> = { readonly [K in keyof C]: Writer<DocumentOf<C[K]>> };

interface Seen {
  readonly collection: string;
  readonly doc: DocId;
  /** As it was when the transaction first looked. */
  readonly data: JsonObject | null;
}

const MAX_RUNS = 10;
/** What goes to the server as one has to fit into a push. */
const MAX_EDITS = 1_000;

/**
 * Runs a body of edits that are made together or not at all, here and on the server. It sees its own edits; if what it has read is
 * changed by others before it ends, it runs again.
 */
export async function runTransaction<C extends Definitions, T>(
  replica: Replica,
  names: readonly string[],
  ports: { readonly newId: (collection: string) => DocId } & Pick<EditContext, 'coalesces'>,
  body: (collections: TransactionOf<C>) => Promise<T>,
): Promise<T> {
  const { environment } = replica;
  for (let run = 0; run < MAX_RUNS; run++) {
    const draft = new Draft(replica, ports.newId);
    const writers = names.map((name) => [name, new CollectionWriter<object>(name, draft)] as const);
    const result = await body(Object.fromEntries(writers) as unknown as TransactionOf<C>);
    draft.end();
    if (draft.intents.length === 0) return result;
    const context = { editedAt: environment.now(), tx: randomId(environment), coalesces: ports.coalesces };
    const isMade = await replica.write('user', async (work) => {
      if (!(await stillSeen(work, draft.seen))) return false;
      await makeEdits(work, draft.intents, context);
      return true;
    });
    if (isMade) return result;
  }
  throw new UsageError(
    'The documents of the transaction were changed by others each time it ran. Read fewer documents in it, and await nothing slow.',
  );
}

/** What a transaction has read and will write. */
class Draft {
  readonly seen = new Map<string, Seen>();
  readonly intents: Intent[] = [];
  private readonly own = new Map<string, JsonObject | null>();
  private isOver = false;

  constructor(
    private readonly replica: Replica,
    readonly newId: (collection: string) => DocId,
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

  readonly edit = async ({ collection, id, kind, change }: RawEdit): Promise<Edited> => {
    const before = await this.look(collection, id);
    this.expectOpen();
    if (this.intents.length >= MAX_EDITS)
      throw new UsageError(
        `A transaction makes at most ${MAX_EDITS} edits, so that the server takes it as one. Make several.`,
      );
    const mutation = randomId(this.replica.environment);
    const isMissing = before === null && (kind === 'patch' || kind === 'delete');
    const made = isMissing ? ({ operation: 'delete' } as const) : change(before);
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
  };

  private expectOpen(): void {
    if (this.isOver) throw new UsageError('The transaction has ended: await its edits inside of its body.');
  }
}
