import fc from 'fast-check';
import { formatHlc, ZERO_VERSION, type LogChange } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import { ownFields } from '../app-writes/target';
import { contentHash } from '../codec/content-hash';
import type { StoredDocument } from '../codec/stored-document';
import { encodeDocument } from '../codec/wire-codec';
import type { EntryRecord, HeadRecord } from '../log/records';
import { baseText, documentKey, type PlanRequest, type PlanSnapshot } from '../plan/plan';
import { planToTheEnd, type Lack } from '../plan/planner';
import { documentHere, type ComparedCollection } from './compared-collection';
import { differenceOf, repairOf, type Finding } from './difference';

const NAME = 'things';
const KEY = documentKey(NAME, 'x', 'x');
const COLLECTION = { encode: encodeDocument } as unknown as ComparedCollection;
const WALL = 1_770_000_000_000;
const versionAt = (n: number): string => formatHlc({ ms: WALL + n, counter: 0, node: 'a' });

/** One document, and the logs of two scopes. */
class World {
  stored: StoredDocument | undefined;
  readonly log: EntryRecord[] = [];
  readonly heads = new Map<string, HeadRecord>();

  /** What the engine has written in scope A. */
  constructor(writes: readonly (object | null)[], trimmed: number, isHashed: boolean) {
    writes.forEach((fields, at) => {
      const version = versionAt(at + 1);
      const [seq, operation] = [at + 1, fields ? 'upsert' : 'delete'] as const;
      const change: Partial<LogChange> = { version, seq, operation, data: fields as LogChange['data'] };
      const at_ = new Date(WALL);
      this.log.push({
        ...{ scope: 'A', seq, version, collection: NAME, doc: 'x', operation, actor: 'ann', at: at_ },
        wire: JSON.stringify(change),
      });
      this.stored = {
        ...{ _id: 'x', ...fields, _sync_version: version, _sync_scope_id: 'A', _sync_deleted: !fields },
        ...(isHashed ? { _sync_hash: contentHash(fields as StoredDocument | null) } : {}),
      };
    });
    const floorSeq = Math.min(trimmed, writes.length);
    const floor = floorSeq === 0 ? ZERO_VERSION : versionAt(floorSeq);
    const [version, seq] = [versionAt(writes.length), writes.length];
    this.heads.set('A', { _id: 'A', version, seq, floor, floorSeq });
  }

  find(scope: string): Finding | undefined {
    const floor = this.heads.get(scope)?.floor ?? '';
    const last = this.log.findLast((entry) => entry.scope === scope && entry.version > floor);
    const entry = last && {
      ...{ version: last.version, operation: last.operation },
      data: (JSON.parse(last.wire) as LogChange).data,
    };
    const { stored } = this;
    const [at, version] = [textOf(stored?.['_sync_scope_id']), textOf(stored?.['_sync_version'])];
    const document =
      stored && at === scope
        ? documentHere(stored, COLLECTION)
        : stored && { at: 'elsewhere' as const, scope: at, version };
    const what = differenceOf(document, entry, floor);
    if (what === undefined) return undefined;
    return { storedId: 'x', key: 'x', what, document: version ?? null, log: last?.version ?? null };
  }

  private bases(lack: Lack): PlanSnapshot['bases'] {
    const bases = new Map<string, LogChange['data'] | undefined>();
    for (const { scopeId, key, version } of lack.of === 'bases' ? lack.needs : []) {
      const entry = this.log.findLast((each) => each.scope === scopeId && each.version <= version);
      bases.set(baseText(scopeId, key, version), entry && (JSON.parse(entry.wire) as LogChange).data);
    }
    return bases;
  }

  /** As a transaction does it. @returns how many entries it has written */
  record(scopeId: string, finding: Finding): number {
    const observed = repairOf(finding);
    const request: PlanRequest = {
      ...{ scopeId, actorId: 'app', clientId: '', atomic: 'mutation' },
      changes: [
        {
          ...{ kind: 'ready', collection: NAME, operation: 'upsert', key: KEY, storedId: 'x', wireId: 'x' },
          rules: { strategy: 'last-writer-wins', deleteUpdatePolicy: 'resurrect_on_update' },
          ...{ document: null, parent: null, hlc: null, observed },
        },
      ],
    };
    const seen: unknown[] = [scopeId, null];
    const { stored } = this;
    const at = stored && ((stored['_sync_scope_id'] ?? null) as string | null);
    const documents = new Map(
      stored ? [[KEY, seen.includes(at) ? stored : ('foreign' as const)] as const] : [],
    );
    const snapshot = { heads: this.heads, receipts: new Map(), documents, bases: new Map() };
    const planning = planToTheEnd(snapshot, [request], { wallMs: WALL, node: 'n', maxDriftMs: 0 });
    let step = planning.next();
    while (step.done !== true) step = planning.next({ bases: this.bases(step.value) });
    const plan = step.value;
    for (const write of plan.writes) {
      const sync = Object.entries(write.document).filter(([name]) => name.startsWith('_sync_'));
      if (write.kind !== 'insert') {
        expect(write.expectedScope).toBe(at);
        expect(write.expectedVersion).toBe(textOf(stored?.['_sync_version']));
      } else expect(stored).toBeUndefined();
      this.stored = write.kind === 'stamp' ? { ...stored, ...Object.fromEntries(sync) } : write.document;
    }
    for (const entry of plan.entries) {
      expect(entry.version > (this.heads.get(entry.scope)?.version ?? '')).toBe(true);
      this.log.push(entry);
    }
    for (const { scopeId: _id, version, seq } of plan.heads) {
      const { floor = ZERO_VERSION, floorSeq = 0 } = this.heads.get(_id) ?? {};
      this.heads.set(_id, { _id, version, seq, floor, floorSeq });
    }
    return plan.entries.length;
  }
}

const fields = fc.dictionary(fc.constantFrom('a', 'b'), fc.nat({ max: 3 })).map((given) => ({ ...given }));
/** What somebody does to the document past the engine; null: it is removed. */
const damage: fc.Arbitrary<StoredDocument | null> = fc.oneof(
  fields,
  fc.constant(null),
  fc.record({ _sync_version: fc.constantFrom(versionAt(0), versionAt(999), 'none', 7, undefined) }),
  fc.record({ _sync_deleted: fc.boolean() }),
  fc.record({ _sync_hash: fc.constantFrom('other', undefined) }),
  fc.record({ _sync_scope_id: fc.constantFrom('B', undefined) }),
  fields.map((given) => ({
    ...{
      _sync_version: undefined,
      _sync_scope_id: undefined,
      _sync_deleted: undefined,
      _sync_hash: undefined,
    },
    ...given,
  })),
);

describe('a repair', () => {
  it('leaves no difference, takes nothing from the app, and does nothing the second time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fields, { nil: null }), { minLength: 1, maxLength: 4 }),
        fc.nat({ max: 4 }),
        fc.boolean(),
        fc.array(damage, { minLength: 1, maxLength: 3 }),
        (writes, trimmed, isHashed, damages) => {
          const world = new World(writes, trimmed, isHashed);
          expect([world.find('A'), world.find('B')]).toEqual([undefined, undefined]);
          for (const change of damages)
            world.stored = change && world.stored ? defined({ ...world.stored, ...change }) : undefined;
          const before = world.stored && ownFields(world.stored);
          for (const scope of ['A', 'B']) {
            const finding = world.find(scope);
            if (!finding) continue;
            expect(world.record(scope, finding)).toBeGreaterThan(0);
            // Another repair that has seen the same comes later.
            expect(world.record(scope, finding)).toBe(0);
          }
          expect([world.find('A'), world.find('B')]).toEqual([undefined, undefined]);
          if (before) expect(world.stored && ownFields(world.stored)).toEqual(before);
        },
      ),
      runs(2000),
    );
  });
});

function defined(document: StoredDocument): StoredDocument {
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined));
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
