import type { JsonObject } from 'nest-offline-sync-protocol';
import type { Environment } from './environment.ts';
import { checked, type Knowledge } from './checking.ts';
import { makeEdit, makeEdits, refusal, type Intent } from './edits.ts';
import { UsageError } from './errors.ts';
import { patchOf } from './fields-of.ts';
import { randomId } from './ids.ts';
import { Value, type Observable } from './observable.ts';
import type { Replica } from './replica.ts';
import { shown } from './rules/chain.ts';
import { patched } from './rules/fields.ts';
import { docKey, type Change, type RefusedChange, type RefusedEntry } from './rules/mutation.ts';
import type { Work } from './work.ts';

/** What the server refused. Nothing leaves it but by the user's decision. */
export class Rejected {
  private readonly value = new Value<readonly RefusedEntry[]>([]);
  private looks = 0;

  constructor(
    private readonly replica: () => Promise<Replica>,
    private readonly environment: Environment,
    private readonly knows: (collection: string) => Knowledge,
  ) {}

  async list(): Promise<readonly RefusedEntry[]> {
    return (await this.replica()).refused();
  }

  /** The entries, as they come and go. */
  live(): Observable<readonly RefusedEntry[]> {
    return this.value;
  }

  /**
   * Makes the edits again on what the server has now. An edit of a document that is gone creates it again.
   *
   * @param fields in place of the ones that were refused, judged by the schema of the collection; only for an entry of one change
   * @throws UsageError if there is no such entry
   * @throws InvalidEditError and the entry stays
   */
  async retry(id: string, fields?: Readonly<Record<string, unknown>>): Promise<void> {
    const replica = await this.replica();
    const entry = await this.entry(replica, id);
    if (fields) return this.retryWith(replica, entry, fields);
    const { environment } = this;
    const ids = entry.changes.map((each) => (each.rolledBack ? each.mutation : randomId(environment)));
    const tx = entry.transaction || entry.changes.length > 1 ? randomId(environment) : undefined;
    const editedAt = environment.now();
    await replica.write('user', async (work) => {
      await forget(work, entry);
      const intents: Intent[] = [];
      const isThere = new Map<string, boolean>();
      for (const [index, refused] of entry.changes.entries()) {
        const key = docKey(refused.collection, refused.id);
        const { chain, base } = await work.seen(refused.collection, refused.id);
        const exists = isThere.get(key) ?? shown(chain, base) !== null;
        const { change } = refused;
        isThere.set(key, change.operation !== 'delete');
        // What is gone already needs no deletion.
        if (change.operation !== 'delete' || exists)
          intents.push(intentOf(refused, ids[index] ?? '', exists));
      }
      await makeEdits(work, intents, { editedAt, tx, coalesces: () => false });
    });
  }

  private async retryWith(
    replica: Replica,
    entry: RefusedEntry,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const [refused] = entry.changes;
    if (!refused || entry.changes.length > 1)
      throw new UsageError(
        'Other fields can be given for an entry of one change only. Retry it as it is, or discard it and edit again.',
      );
    const { environment } = this;
    const { collection, id: doc, mine } = refused;
    const change = patchOf(fields);
    const intent: Intent = {
      collection,
      doc,
      kind: mine ? 'upsert' : 'patch',
      change: (seen) => (seen || !mine ? change : laidOn(refused, mine, change)),
      mutation: randomId(environment),
    };
    const { schema } = this.knows(collection);
    const context = { editedAt: environment.now(), coalesces: () => false };
    await makeEdit(
      replica,
      intent,
      schema && ((seen, made) => checked({ schema }, collection, doc, seen, made, false)),
      context,
      (work) => forget(work, entry),
    );
  }

  /** Gives the edits up: what the server has counts. */
  async discard(id: string): Promise<void> {
    const replica = await this.replica();
    const entry = await this.entry(replica, id);
    await replica.write('user', (work) => forget(work, entry));
  }

  /** Called when entries may have come or gone, or the user. */
  async refresh(replica: Replica | undefined): Promise<void> {
    const look = ++this.looks;
    try {
      const entries = replica ? await replica.refused() : [];
      if (look === this.looks) this.value.set(entries);
    } catch {
      // The database is gone: the part that works with it says so.
    }
  }

  private async entry(replica: Replica, id: string): Promise<RefusedEntry> {
    const entry = (await replica.refused()).find((each) => each.id === id);
    if (!entry) throw decided(id);
    return entry;
  }
}

function decided(id: string): UsageError {
  return new UsageError(
    `There is no refused change ${JSON.stringify(id)}: it was retried or discarded already.`,
  );
}

/** Another tab may have decided meanwhile. */
async function forget(work: Work, entry: RefusedEntry): Promise<void> {
  if (!(await work.stores.rejected.get(entry.id))) throw decided(entry.id);
  await work.forget(entry);
}

/** What is gone is made again as the user had it, with the fields that are given now. */
function laidOn({ collection, id }: RefusedChange, mine: JsonObject, change: Change): Change {
  if (change.operation !== 'patch') return change;
  const laid = patched(mine, change.patch);
  if (!laid.ok) throw refusal(collection, id, { problem: 'mismatch', path: laid.path, text: laid.problem });
  return { operation: 'upsert', data: laid.data };
}

function intentOf(refused: RefusedChange, mutation: string, isThere: boolean): Intent {
  const { change, mine: data } = refused;
  const named = { collection: refused.collection, doc: refused.id, mutation };
  // A patch of what is gone makes the document again.
  if (change.operation === 'patch' && !isThere && data)
    return { ...named, kind: 'upsert', change: () => ({ operation: 'upsert', data }) };
  return { ...named, kind: change.operation, change: () => change };
}
