import type { PushEvent, SentChange } from '../history';
import type { Outgoing } from '../wire/device';
import { markerOf, ownId } from '../wire/marker';
import type { WorkloadCollection } from './options';
import { patchParts, sentPatch } from './patch-parts';
import { MEMORY, type ChangePlan, type EditPlan } from './push-plan';
import { farAhead, stampAt } from './stamp';
import { filled } from './template';

export interface WriterName {
  /** Of the run. */
  readonly run: string;
  /** Begins the ids of documents. */
  readonly idRun: string;
  /** The client id; letters and digits. */
  readonly client: string;
  readonly secret: string;
  /** Of the documents that only it writes: unlike any other writer's of both tenants. 0 to 255. */
  readonly owner: number;
  /** Of the documents that all writers of its tenant write. */
  readonly sharedOwner: number;
  /** Of the documents that all writers of its tenant only patch. */
  readonly hotOwner: number;
}

/** Makes the changes of one writer, and remembers what it learnt of its documents. */
export class ChangeMaker {
  private markers = 0;
  private readonly known = new Map<string, string>();
  private readonly first = new Map<string, string>();
  /** The last mutation that was sent, by document. */
  private readonly last = new Map<string, string>();
  private readonly memory: Outgoing[] = [];

  constructor(
    private readonly name: WriterName,
    private readonly collections: readonly WorkloadCollection[],
    private readonly maxDocumentBytes: number,
    private readonly wallMs: () => number,
  ) {}

  make(plans: readonly ChangePlan[]): Outgoing[] {
    const earlier = [...this.memory];
    return plans.map((plan) => {
      if (plan.do === 'edit') return this.edit(plan);
      return earlier.at(-plan.back) ?? this.edit(FALLBACK);
    });
  }

  /** What the answers say of the documents' versions. */
  learn(event: PushEvent): void {
    event.results?.forEach(({ newVersion, serverDocument }, index) => {
      const change = event.changes[index];
      if (!change) return;
      const key = `${change.collection} ${change.docId}`;
      for (const version of [newVersion, serverDocument?.version]) {
        if (typeof version !== 'string' || version === '') continue;
        if (!this.first.has(key)) this.first.set(key, version);
        const known = this.known.get(key);
        // A replay shows an older one.
        if (known === undefined || version > known) this.known.set(key, version);
      }
    });
  }

  private edit(plan: EditPlan): Outgoing {
    const { run, client, secret } = this.name;
    const collection = this.collections[plan.collection] ?? this.collections[0];
    if (!collection) throw new RangeError('No collection to write to.');
    const number = (this.markers += 1);
    const patch = plan.patch === null ? null : sentPatch(plan.patch, collection.patch, number);
    // A patch that names nothing is none.
    const isEmpty = patch?.inc === 0 && patch.add.length + patch.remove.length === 0;
    const sets = plan.patch === null ? plan.operation === 'upsert' : plan.patch.set || isEmpty;
    const docId = docIdOf(this.name, collection.ids, plan);
    const key = `${collection.name} ${docId}`;
    const now = this.wallMs();
    const mutation = `${run}-${String(number)}`;
    const mine = plan.parent === 'mine' ? this.last.get(key) : undefined;
    const change: SentChange = {
      collection: plan.flaw === 'unknown-collection' ? 'nosc_unknown' : collection.name,
      docId,
      operation: plan.operation,
      mutation,
      parent:
        plan.parent === 'none'
          ? null
          : ((plan.parent === 'known' ? this.known : this.first).get(key) ?? null),
      ...(mine === undefined ? {} : { parentMutation: mine }),
      hlc:
        plan.flaw === 'clock-ahead'
          ? farAhead(now, client)
          : plan.stamp
            ? stampAt(now, number, client)
            : null,
      marker: sets ? markerOf(secret, client, number) : null,
      flaw: plan.flaw,
      ...(patch === null ? {} : { patch }),
      ...(plan.returns ? { returns: true } : {}),
    };
    this.last.set(key, mutation);
    const outgoing = { sent: change, wire: this.wire(change, collection, number) };
    // What was too large is not repeated: a megabyte a time.
    if (plan.flaw !== 'too-large') this.remember(outgoing);
    return outgoing;
  }

  private wire(change: SentChange, collection: WorkloadCollection, number: number): Record<string, unknown> {
    const { marker, flaw, patch } = change;
    const padding = flaw === 'too-large' ? ` ${'x'.repeat(this.maxDocumentBytes)}` : '';
    const data = marker === null ? null : filled(collection.template, `${marker}${padding}`);
    const wire: Record<string, unknown> = {
      collection: change.collection,
      operation: change.operation,
      doc_id: change.docId,
      mutation_id: change.mutation,
      ...(patch !== undefined ? patchParts(patch, collection, data) : data === null ? {} : { data }),
      ...(change.parent === null ? {} : { parent_version: change.parent }),
      ...(change.parentMutation === undefined ? {} : { parent_mutation_id: change.parentMutation }),
      ...(change.hlc === null ? {} : { hlc: change.hlc }),
      ...(change.returns ? { return: 'document' } : {}),
    };
    // No deployment can take any of these.
    if (flaw === 'bad-patch')
      return {
        ...wire,
        ...[{ inc: { 0: 1 } }, { unset: ['a.', 'b'] }, { inc: { 'a.b': 'many' } }][number % 3],
      };
    if (flaw !== 'shape') return wire;
    if (number % 3 === 0) return { ...wire, operation: 'replace' };
    return { ...wire, data: number % 3 === 1 ? [data] : { ...data, $nosc: 1 } };
  }

  private remember(outgoing: Outgoing): void {
    this.memory.push(outgoing);
    if (this.memory.length > MEMORY) this.memory.shift();
  }
}

const FALLBACK: EditPlan = {
  do: 'edit',
  collection: 0,
  of: 'own',
  doc: 0,
  operation: 'upsert',
  parent: 'known',
  stamp: false,
  flaw: null,
  patch: null,
  returns: false,
};

function docIdOf(name: WriterName, ids: 'text' | 'objectid', { of, doc }: EditPlan): string {
  const owner = { own: name.owner, shared: name.sharedOwner, hot: name.hotOwner }[of];
  return ownId(ids, name.idRun, owner, doc);
}
