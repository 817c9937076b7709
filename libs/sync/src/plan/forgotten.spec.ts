import type { Operation } from 'nest-offline-sync-protocol';
import { FLEET_RULES } from '../../../../test/support/fleet-device';
import { PushWorld } from '../../../../test/support/push-world';
import { documentKey, type Decision, type PlanRequest } from './plan';

const START = Date.UTC(2026, 4, 2);
const SCOPE = 'A';

/** A scope with two documents that were deleted; `x` first. */
class Deleted {
  readonly world = new PushWorld();
  private wallMs = START;
  /** What a device has seen of `x` before it was deleted. */
  readonly seen: string;
  readonly later: string;

  constructor(private readonly collection: string) {
    this.seen = this.change('upsert', null).new_version!;
    this.change('delete', this.seen);
    this.later = this.change('delete', null, 'y').new_version!;
    this.world.floors.set(SCOPE, 3);
  }

  /** Retention has removed the tombstones of both. */
  forget(): this {
    this.world.forget(SCOPE, this.later, new Set(['x', 'y'].map((id) => this.keyOf(id))));
    return this;
  }

  stored(id = 'x') {
    return this.world.documents.get(this.keyOf(id));
  }

  change(operation: Operation, parent: string | null, id = 'x', atomic: 'mutation' | 'batch' = 'mutation') {
    const [plan] = this.plan([{ operation, parent, id }], atomic);
    return plan!;
  }

  plan(
    changes: readonly { operation: Operation; parent: string | null; id: string }[],
    atomic: 'mutation' | 'batch',
  ): readonly Decision[] {
    this.wallMs += 1000;
    const request: PlanRequest = {
      scopeId: SCOPE,
      actorId: 'ann',
      clientId: 'phone',
      atomic,
      changes: changes.map(({ operation, parent, id }) => ({
        kind: 'ready',
        collection: this.collection,
        rules: FLEET_RULES.get(this.collection)!,
        operation,
        key: this.keyOf(id),
        storedId: id,
        wireId: id,
        document: operation === 'upsert' ? { n: this.wallMs } : null,
        ...(operation === 'patch'
          ? { patch: { set: { n: 1 }, unset: [], inc: {}, add: {}, remove: {} } }
          : {}),
        parent,
        hlc: null,
        mutation: { id: `m${String(this.wallMs)}${id}`, hash: id },
      })),
    };
    const plan = this.world.plan([request], this.wallMs);
    this.world.apply(plan);
    const [outcome] = plan.outcomes;
    if (outcome?.kind === 'decided') return outcome.decisions;
    return changes.map(() => ({ code: 'asked', new_version: null }) as unknown as Decision);
  }

  private keyOf(id: string): string {
    return documentKey(this.collection, id, id);
  }
}

const brief = ({ status, code }: Decision): string => `${status} ${String(code)}`;

describe.each([...FLEET_RULES.keys()])('a tombstone that is gone, with %s', (collection) => {
  it.each(['upsert', 'delete', 'patch'] as const)(
    'is one to a device that has not seen the delete: %s',
    (operation) => {
      const [kept, gone] = [new Deleted(collection), new Deleted(collection).forget()];
      const [there, late] = [kept, gone].map((each) => each.change(operation, each.seen));
      expect(brief(late!)).toBe(brief(there!));
      expect(late!.conflict?.deleted).toBe(there!.conflict?.deleted);
      if (operation === 'delete') expect(gone.stored()).toBeUndefined();
      if (late!.status === 'rejected') expect(late!.conflict).toMatchObject({ deleted: true, data: null });
      if (late!.new_version !== null) expect(late!.new_version >= gone.later).toBe(true);
    },
  );

  it('is known to a device that was told of it: the document may be made again, above what it was', () => {
    const gone = new Deleted(collection).forget();
    const told = gone.change('delete', gone.seen);
    const made = gone.change('upsert', told.new_version);
    expect(brief(made)).toBe('accepted null');
    expect(made.new_version! > gone.later).toBe(true);
    expect(gone.stored()).toMatchObject({ _sync_version: made.new_version, _sync_deleted: false });
  });

  it('is nothing to a change that knows no version', () => {
    const gone = new Deleted(collection).forget();
    expect(brief(gone.change('patch', null))).toBe('rejected document_missing');
    expect(brief(gone.change('upsert', null))).toBe('accepted null');
    expect(brief(gone.change('delete', null, 'y'))).toBe('accepted null');
    expect(gone.stored('y')).toMatchObject({ _sync_deleted: true });
  });

  it('is shown in a batch that it rolls back as in a push of its own', () => {
    const [alone, gone] = [new Deleted(collection).forget(), new Deleted(collection).forget()];
    const single = alone.change('patch', alone.seen);
    const [other, late] = gone.plan(
      [
        { operation: 'upsert', parent: null, id: 'z' },
        { operation: 'patch', parent: gone.seen, id: 'x' },
      ],
      'batch',
    );
    expect(late).toEqual(single);
    expect(brief(other!)).toBe('rejected batch_rolled_back');
    expect(gone.stored('z')).toBeUndefined();
  });
});
