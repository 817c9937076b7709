import { formatHlc, type JsonObject } from 'nest-offline-sync-protocol';
import type { CollectionRules } from './conflict';
import assert from 'node:assert';
import * as fc from 'fast-check';
import { FLEET_RULES, keyOf } from '../../../../test/support/fleet-device';
import { PushWorld, resolverNeeds } from '../../../../test/support/push-world';
import { runs } from '../../../../test/support/runs';
import { withFinding, type Decision, type PlanRequest } from './plan';
import { judge, type CurrentState, type IncomingChange } from './judge';

const START = Date.UTC(2026, 4, 2);
const NOTE = { collection: 'notes', id: 'd' };

/** Clients that have all seen the same version of a document and edit it, each for itself. */
interface OfflineEdit {
  readonly client: string;
  /** Null: a delete. */
  readonly value: number | null;
  readonly hlc: string | null;
}

const stamp = (ms: number, client: number): string =>
  formatHlc({ ms: START + ms, counter: 0, node: `dev${client}` });

/** Each with its own stamp, far apart or in the same millisecond, and an order in which they arrive. */
function editsAndOrder(
  deletes: boolean,
  stamped: boolean,
): fc.Arbitrary<{ edits: OfflineEdit[]; order: number[] }> {
  const edit = fc.record({
    ms: fc.integer({ min: 1, max: 6 }),
    remove: deletes ? fc.boolean() : fc.constant(false),
  });
  return fc
    .array(edit, { minLength: 1, maxLength: 6 })
    .map((drawn) =>
      drawn.map(({ ms, remove }, index): OfflineEdit => ({
        client: `c${index}`,
        value: remove ? null : index + 1,
        hlc: stamped ? stamp(ms, index) : null,
      })),
    )
    .chain((edits) =>
      fc.shuffledSubarray([...edits.keys()], { minLength: edits.length }).map((order) => ({ edits, order })),
    );
}

function request(rules: CollectionRules, edit: OfflineEdit, parent: string | null): PlanRequest {
  return {
    scopeId: 's',
    actorId: edit.client,
    clientId: edit.client,
    atomic: 'mutation',
    changes: [
      {
        kind: 'ready',
        collection: NOTE.collection,
        rules,
        operation: edit.value === null ? 'delete' : 'upsert',
        key: keyOf(NOTE),
        storedId: NOTE.id,
        wireId: NOTE.id,
        document: edit.value === null ? null : { value: edit.value },
        parent,
        hlc: edit.hlc,
      },
    ],
  };
}

/** A document that everybody has seen. */
function seeded(rules: CollectionRules): { world: PushWorld; parent: string } {
  const world = new PushWorld();
  world.apply(world.plan([request(rules, { client: 'seed', value: 0, hlc: null }, null)], START));
  return { world, parent: world.versions('s')[0]! };
}

/** Pushes the edits in this order: each in a transaction of its own, or all in one. */
function arrive(
  rules: CollectionRules,
  edits: readonly OfflineEdit[],
  order: readonly number[],
  together: boolean,
): { answers: Decision[]; left: JsonObject | undefined; writes: number } {
  const { world, parent } = seeded(rules);
  const requests = order.map((at) => request(rules, edits[at]!, parent));
  const answers: Decision[] = [];
  for (const group of together ? [requests] : requests.map((each) => [each])) {
    const plan = world.plan(group, START + 1000);
    world.apply(plan);
    for (const outcome of plan.outcomes) {
      assert(outcome.kind === 'decided');
      answers.push(...outcome.decisions);
    }
  }
  return { answers, left: world.stored('s').get('notes/d'), writes: world.log.length - 1 };
}

const rulesOf = (name: string): CollectionRules => FLEET_RULES.get(name)!;
const policies = ['resurrect_on_update', 'reject_update', 'delete_wins'] as const;

describe('last-writer-wins', () => {
  it('ends with the edit of the greatest stamp, in whatever order and groups the edits arrive', () => {
    fc.assert(
      fc.property(
        editsAndOrder(false, true),
        fc.boolean(),
        fc.constantFrom(...policies),
        (drawn, together, policy) => {
          const { edits, order } = drawn;
          const last = [...edits].sort((a, b) => (a.hlc! < b.hlc! ? -1 : 1)).at(-1)!;
          const { left, answers, writes } = arrive(
            rulesOf(`last-writer-wins ${policy}`),
            edits,
            order,
            together,
          );
          assert.deepStrictEqual(left, { value: last.value });
          assert.equal(answers.filter((answer) => answer.status === 'conflict_resolved').length, writes - 1);
        },
      ),
      runs(1000),
    );
  });

  it('with delete_wins ends deleted as soon as one of the edits is a delete, in whatever order', () => {
    fc.assert(
      fc.property(editsAndOrder(true, true), fc.boolean(), ({ edits, order }, together) => {
        const { left } = arrive(rulesOf('last-writer-wins delete_wins'), edits, order, together);
        if (edits.some((edit) => edit.value === null)) assert.equal(left, undefined);
        else assert.notEqual(left, undefined);
      }),
      runs(500),
    );
  });

  it('lets no edit without a stamp win over one that its client did not know', () => {
    fc.assert(
      fc.property(editsAndOrder(false, false), fc.boolean(), ({ edits, order }, together) => {
        const { left } = arrive(rulesOf('last-writer-wins reject_update'), edits, order, together);
        assert.deepStrictEqual(left, { value: edits[order[0]!]!.value });
      }),
      runs(300),
    );
  });
});

describe('client-wins', () => {
  it('ends as the client that came last has it, deletes included unless a policy keeps what is deleted', () => {
    fc.assert(
      fc.property(editsAndOrder(true, true), fc.boolean(), ({ edits, order }, together) => {
        const last = edits[order.at(-1)!]!;
        const { left, answers } = arrive(rulesOf('client-wins resurrect_on_update'), edits, order, together);
        assert.deepStrictEqual(left, last.value === null ? undefined : { value: last.value });
        assert(answers.every((answer) => answer.status !== 'rejected'));
        const lasting = arrive(rulesOf('client-wins delete_wins'), edits, order, together);
        if (edits.some((edit) => edit.value === null)) assert.equal(lasting.left, undefined);
        else assert.deepStrictEqual(lasting.left, { value: last.value });
      }),
      runs(700),
    );
  });
});

describe('reject-stale', () => {
  it('writes the first edit and nothing that is stale, whatever the stamps say', () => {
    fc.assert(
      fc.property(editsAndOrder(true, true), fc.boolean(), ({ edits, order }, together) => {
        for (const policy of ['resurrect_on_update', 'reject_update'] as const) {
          const { left, answers, writes } = arrive(rulesOf(`reject-stale ${policy}`), edits, order, together);
          const first = edits[order[0]!]!;
          assert.equal(writes, 1);
          assert.deepStrictEqual(left, first.value === null ? undefined : { value: first.value });
          // Both sides have deleted it: nothing stands against that.
          const wanted = order.map((at, place) =>
            place === 0 || (first.value === null && edits[at]!.value === null) ? 'accepted' : 'rejected',
          );
          assert.deepStrictEqual(
            answers.map((answer) => answer.status),
            wanted,
          );
        }
      }),
      runs(500),
    );
  });
});

describe('a custom resolver', () => {
  it('is used only on the document that it was shown; else it is asked again, and what it gave is dropped', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...policies),
        fc.array(fc.record({ value: fc.option(fc.nat({ max: 3 })), moved: fc.boolean() }), {
          minLength: 1,
          maxLength: 5,
        }),
        (policy, tries) => {
          const rules = rulesOf(`custom ${policy}`);
          const { world, parent } = seeded(rules);
          // Somebody else edits first, so that the pushed change conflicts.
          const others = { ...rulesOf('client-wins resurrect_on_update') };
          const other = (value: number): void => {
            world.apply(
              world.plan([request(others, { client: 'other', value, hlc: null }, null)], START + 1),
            );
          };
          other(-1);
          let pushed = request(rules, { client: 'mine', value: 7, hlc: null }, parent);
          const shown = new Set<string>();
          for (const { value, moved } of tries) {
            const plan = world.plan([pushed], START + 2);
            const outcome = plan.outcomes[0]!;
            assert(outcome.kind === 'unresolved');
            assert.deepStrictEqual([plan.writes, plan.entries, plan.receipts, plan.heads], [[], [], [], []]);
            const need = resolverNeeds(outcome.needs)[0]!;
            assert(!shown.has(need.basis), 'not asked twice about one state');
            shown.add(need.basis);
            assert.deepStrictEqual(need.current, world.stored('s').get('notes/d'));
            assert.deepStrictEqual(need.base, { value: 0 });
            const document = value === null ? null : { resolved: value };
            pushed = withFinding(pushed, 0, { resolution: { basis: need.basis, outcome: { document } } });
            if (moved) {
              other(shown.size);
              continue;
            }
            const before = world.log.length;
            world.apply(world.plan([pushed], START + 3));
            assert.equal(world.log.length, before + 1);
            assert.deepStrictEqual(world.stored('s').get('notes/d'), document ?? undefined);
            return;
          }
        },
      ),
      runs(500),
    );
  });
});

describe('who wins', () => {
  const stamps = ['none', 'older', 'same', 'newer'] as const;
  const OWN = stamp(5, 1);
  const at = { older: stamp(4, 9), same: OWN, newer: stamp(6, 0) };
  const current: CurrentState = { version: stamp(9, 0), stamp: OWN, deleted: false };
  const said = (change: IncomingChange, rules: string, state: CurrentState = current): string => {
    const judgement = judge(state, change, rulesOf(rules));
    return judgement.kind === 'merge' ? `${judgement.newer} newer` : judgement.kind;
  };

  it.each(stamps.flatMap((hlc) => stamps.map((parent) => ({ hlc, parent }))))(
    'between a document and a change with hlc $hlc and parent $parent',
    ({ hlc, parent }) => {
      const change = (operation: IncomingChange['operation']): IncomingChange => ({
        operation,
        hlc: hlc === 'none' ? null : at[hlc],
        parent: parent === 'none' ? null : at[parent],
      });
      // The change's stamp, else its parent; equal is not older.
      const decides = hlc === 'none' ? parent : hlc;
      const wins = decides === 'same' || decides === 'newer';
      for (const policy of policies) {
        const [upsert, remove] = [change('upsert'), change('delete')];
        const deleteWins = policy === 'delete_wins';
        expect(said(upsert, `last-writer-wins ${policy}`)).toBe(wins ? 'overrule' : 'reject');
        expect(said(remove, `last-writer-wins ${policy}`)).toBe(wins || deleteWins ? 'overrule' : 'reject');
        expect(said(upsert, `merge ${policy}`)).toBe(wins ? 'incoming newer' : 'current newer');
        expect(said(remove, `merge ${policy}`)).toBe(wins || deleteWins ? 'overrule' : 'reject');
        expect(said(upsert, `reject-stale ${policy}`)).toBe('reject');
        expect(said(remove, `reject-stale ${policy}`)).toBe(deleteWins ? 'overrule' : 'reject');
        expect(said(upsert, `client-wins ${policy}`)).toBe('overrule');
        expect(said(remove, `client-wins ${policy}`)).toBe('overrule');
        expect(said(upsert, `custom ${policy}`)).toBe('resolve');
        expect(said(remove, `custom ${policy}`)).toBe(deleteWins ? 'overrule' : 'resolve');
        // Who has seen the version that stands is taken, whatever the clocks say.
        for (const each of [upsert, remove])
          for (const strategy of ['last-writer-wins', 'reject-stale', 'client-wins', 'merge', 'custom'])
            expect(said({ ...each, parent: current.version }, `${strategy} ${policy}`)).toBe('accept');
      }
    },
  );
});
