import type { Environment } from './environment.ts';
import { makeEdits, type Intent } from './edits.ts';
import { UsageError } from './errors.ts';
import { patchOf } from './fields-of.ts';
import { randomId } from './ids.ts';
import { Value, type Observable } from './observable.ts';
import type { Replica } from './replica.ts';
import { shown } from './rules/chain.ts';
import { patched } from './rules/fields.ts';
import { docKey, type Change, type RefusedChange, type RefusedEntry } from './rules/mutation.ts';

/** What the server refused. Nothing leaves it but by the user's decision. */
export class Rejected {
  private readonly value = new Value<readonly RefusedEntry[]>([]);
  private looks = 0;

  constructor(
    private readonly replica: () => Promise<Replica>,
    private readonly environment: Environment,
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
   * @param fields in place of the ones that were refused; only for an entry of one change
   * @throws UsageError if there is no such entry
   */
  async retry(id: string, fields?: Readonly<Record<string, unknown>>): Promise<void> {
    const replica = await this.replica();
    const entry = await this.entry(replica, id);
    if (fields && entry.changes.length !== 1)
      throw new UsageError(
        'Other fields can be given for an entry of one change only. Retry it as it is, or discard it and edit again.',
      );
    const { environment } = this;
    const ids = entry.changes.map((each) => (each.rolledBack ? each.mutation : randomId(environment)));
    const tx = entry.transaction || entry.changes.length > 1 ? randomId(environment) : undefined;
    const editedAt = environment.now();
    await replica.write('user', async (work) => {
      // Another tab may have decided meanwhile.
      if (!(await work.stores.rejected.get(id))) throw decided(id);
      const intents: Intent[] = [];
      const isThere = new Map<string, boolean>();
      for (const [index, refused] of entry.changes.entries()) {
        const key = docKey(refused.collection, refused.id);
        const { chain, base } = await work.seen(refused.collection, refused.id);
        const exists = isThere.get(key) ?? shown(chain, base) !== null;
        const change = fields ? patchOf(fields) : refused.change;
        isThere.set(key, change.operation !== 'delete');
        // What is gone already needs no deletion.
        if (change.operation !== 'delete' || exists)
          intents.push(intentOf(refused, change, ids[index] ?? '', exists));
      }
      await makeEdits(work, intents, { editedAt, tx, coalesces: () => false });
      await work.forget(entry);
    });
  }

  /** Gives the edits up: what the server has counts. */
  async discard(id: string): Promise<void> {
    const replica = await this.replica();
    const entry = await this.entry(replica, id);
    await replica.write('user', (work) => work.forget(entry));
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

function intentOf(refused: RefusedChange, change: Change, mutation: string, isThere: boolean): Intent {
  const named = { collection: refused.collection, doc: refused.id, mutation };
  // A patch of what is gone makes the document again: as the user had it, with the fields that are given now.
  if (change.operation === 'patch' && !isThere && refused.mine) {
    const laid = patched(refused.mine, change.patch);
    const data = refused.change === change || !laid.ok ? refused.mine : laid.data;
    return { ...named, kind: 'upsert', change: () => ({ operation: 'upsert', data }) };
  }
  return { ...named, kind: change.operation, change: () => change };
}
