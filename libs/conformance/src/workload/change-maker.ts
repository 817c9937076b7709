import type { PushEvent, SentChange } from '../history';
import type { Outgoing } from '../wire/device';
import { markerOf, ownId } from '../wire/marker';
import type { WorkloadCollection } from './options';
import { MEMORY, type ChangePlan, type EditPlan } from './push-plan';
import { farAhead, stampAt } from './stamp';
import { filled } from './template';

export interface WriterName {
  /** Of the run. */
  readonly run: string;
  /** The client id; letters and digits. */
  readonly client: string;
  readonly secret: string;
  /** Of the documents that only it writes: unlike any other writer's of both tenants. 0 to 255. */
  readonly owner: number;
  /** Of the documents that all writers of its tenant write. */
  readonly sharedOwner: number;
}

/** Makes the changes of one writer, and remembers what it learnt of its documents. */
export class ChangeMaker {
  private markers = 0;
  private readonly known = new Map<string, string>();
  private readonly first = new Map<string, string>();
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
    const marker = plan.operation === 'delete' ? null : markerOf(secret, client, number);
    const docId = docIdOf(this.name, collection.ids, plan);
    const key = `${collection.name} ${docId}`;
    const now = this.wallMs();
    const change: SentChange = {
      collection: plan.flaw === 'unknown-collection' ? 'nosc_unknown' : collection.name,
      docId,
      operation: plan.operation,
      mutation: `${run}-${String(number)}`,
      parent:
        plan.parent === 'none'
          ? null
          : ((plan.parent === 'first' ? this.first : this.known).get(key) ?? null),
      hlc:
        plan.flaw === 'clock-ahead'
          ? farAhead(now, client)
          : plan.stamp
            ? stampAt(now, number, client)
            : null,
      marker,
      flaw: plan.flaw,
    };
    const outgoing = { sent: change, wire: this.wire(change, collection, number) };
    // What was too large is not repeated: a megabyte a time.
    if (plan.flaw !== 'too-large') this.remember(outgoing);
    return outgoing;
  }

  private wire(
    change: SentChange,
    { template }: WorkloadCollection,
    number: number,
  ): Record<string, unknown> {
    const { marker, flaw } = change;
    const padding = flaw === 'too-large' ? ` ${'x'.repeat(this.maxDocumentBytes)}` : '';
    const data = marker === null ? null : filled(template, `${marker}${padding}`);
    const wire: Record<string, unknown> = {
      collection: change.collection,
      operation: change.operation,
      doc_id: change.docId,
      mutation_id: change.mutation,
      ...(data === null ? {} : { data }),
      ...(change.parent === null ? {} : { parent_version: change.parent }),
      ...(change.hlc === null ? {} : { hlc: change.hlc }),
    };
    if (flaw !== 'shape') return wire;
    // No deployment can take any of these.
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
};

function docIdOf(name: WriterName, ids: 'text' | 'objectid', { of, doc }: EditPlan): string {
  return ownId(ids, name.run, of === 'shared' ? name.sharedOwner : name.owner, doc);
}
