import assert from 'node:assert';
import * as fc from 'fast-check';
import type { Atomicity, Operation } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import {
  DRIFT_MS,
  PushWorld,
  ready,
  resolverNeeds,
  RULES,
  type CollectionName,
} from '../../../../test/support/push-world';
import { PushModel, type Expected, type ModelResolver } from '../../../../test/support/push-model';
import { documentKey, withFinding, type Decision, type PlanRequest, type ReadyChange } from './plan';

const START = Date.UTC(2026, 4, 2);

interface Drawn {
  readonly collection: CollectionName;
  readonly operation: Operation;
  readonly id: string;
  readonly fields: Readonly<Record<string, number>>;
  /** Which version of the scope is the parent: none, one of this document, any. */
  readonly parent: { readonly from: 'none' | 'document' | 'newest' | 'scope'; readonly pick: number };
  /** Milliseconds from the wall clock. */
  readonly hlc: number | null;
  readonly mutation: boolean;
  /** Builds on a mutation that the client has sent before, of whichever document. */
  readonly follows: number | null;
}

/** A change of a push: a new one, or one that the client has sent before. */
type Item = { readonly again: number } | { readonly again: null; readonly change: Drawn };

interface DrawnRequest {
  readonly scope: 'A' | 'B';
  readonly client: string;
  readonly atomic: Atomicity;
  /** How many changes a group has; 1: none is in a group. */
  readonly grouped: number;
  readonly items: readonly Item[];
}

interface Group {
  readonly wallShift: number;
  readonly trim: number | null;
  readonly requests: readonly DrawnRequest[];
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  collection: fc.constantFrom(...(Object.keys(RULES) as CollectionName[])),
  operation: fc.constantFrom('upsert', 'upsert', 'upsert', 'delete'),
  id: fc.constantFrom('x', 'y'),
  fields: fc.dictionary(fc.constantFrom('p', 'q', 'r'), fc.nat({ max: 2 }), { maxKeys: 3 }),
  parent: fc.record({
    from: fc.constantFrom('none', 'document', 'newest', 'newest', 'scope'),
    pick: fc.nat({ max: 20 }),
  }),
  hlc: fc.option(fc.integer({ min: -50_000, max: 70_000 }), { freq: 2 }),
  mutation: fc.boolean(),
  follows: fc.option(fc.nat({ max: 30 }), { freq: 2 }),
});
const item: fc.Arbitrary<Item> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ again: fc.constant(null), change: drawn }) },
  { weight: 2, arbitrary: fc.record({ again: fc.nat({ max: 30 }) }) },
);
const request: fc.Arbitrary<DrawnRequest> = fc.record({
  scope: fc.constantFrom('A', 'A', 'B'),
  client: fc.constantFrom('one', 'two'),
  atomic: fc.constantFrom('batch', 'mutation'),
  grouped: fc.constantFrom(1, 1, 2, 3),
  items: fc.array(item, { minLength: 1, maxLength: 5 }),
});
const group: fc.Arbitrary<Group> = fc.record({
  wallShift: fc.oneof(fc.constant(0), fc.integer({ min: -100_000, max: 100_000 })),
  trim: fc.option(fc.nat({ max: 5 }), { freq: 5 }),
  requests: fc.array(request, { minLength: 1, maxLength: 4 }),
});

/** Clients that send what was drawn, with parents that they could know. */
class Clients {
  private readonly sent = new Map<string, ReadyChange[]>();
  private count = 0;

  constructor(private readonly world: PushWorld) {}

  build(from: DrawnRequest, wallMs: number): PlanRequest {
    const { scope, client, atomic, grouped, items } = from;
    const before = this.sent.get(scope + client) ?? [];
    this.sent.set(scope + client, before);
    const changes = items.flatMap((each): ReadyChange[] => {
      if (each.again === null) {
        const change = this.change(scope, each.change, wallMs, before);
        if (change.mutation) before.push(change);
        return [change];
      }
      const again = before[each.again % Math.max(1, before.length)];
      return again ? [again] : [];
    });
    return {
      scopeId: scope,
      actorId: `${scope} ${client}`,
      clientId: client,
      atomic,
      changes: changes.map((change, index) =>
        // The last one stands alone in any case.
        grouped === 1 || index === items.length - 1
          ? change
          : { ...change, group: `g${Math.floor(index / grouped)}` },
      ),
    };
  }

  private change(scope: string, from: Drawn, wallMs: number, before: readonly ReadyChange[]): ReadyChange {
    const { collection, operation, id, fields, parent, hlc, mutation, follows } = from;
    const key = documentKey(collection, id, id);
    const inScope = this.world.log.filter((entry) => entry.scope === scope);
    const ofDocument = inScope.filter((entry) => entry.collection === collection && entry.doc === id);
    const choices = parent.from === 'scope' ? inScope : ofDocument;
    const at = parent.from === 'newest' ? choices.length - 1 : parent.pick % Math.max(1, choices.length);
    const name = `m${this.count++}`;
    // Mostly one of the same document.
    const own = before.filter((each) => each.key === key);
    const earlier = follows !== null && follows % 5 !== 0 && own.length > 0 ? own : before;
    const parentMutation =
      follows === null ? undefined : earlier[follows % Math.max(1, earlier.length)]?.mutation?.id;
    return {
      kind: 'ready',
      collection,
      rules: RULES[collection],
      operation,
      key,
      storedId: id,
      wireId: id,
      // Whose data it is can be told wherever it turns up.
      document: operation === 'delete' ? null : { owner: `owned by ${scope}`, ...fields },
      parent: parent.from === 'none' ? null : (choices[at]?.version ?? null),
      hlc: hlc === null ? null : stamp(wallMs + hlc),
      ...(parentMutation === undefined ? {} : { parentMutation }),
      ...(mutation ? { mutation: { id: name, hash: `${scope} ${name}` } } : {}),
    };
  }
}

function stamp(ms: number): string {
  return `${new Date(ms).toISOString().replace(/[-:]/g, '')}-0003-edit`;
}

const resolver: ModelResolver = (current, incoming) => {
  const sum = Number(current?.['p'] ?? 0) + Number(incoming?.['p'] ?? 0);
  if (sum === 3) return undefined;
  return sum === 4 ? null : { ...current, ...incoming, resolved: sum };
};

/** Plans one request by itself, asking the resolver between the tries. */
function pushAlone(world: PushWorld, first: PlanRequest, wallMs: number): readonly Decision[] {
  let current = first;
  for (let tries = 0; tries < 12; tries++) {
    // The clock goes on between the tries: versions of an earlier one never come back.
    const plan = world.plan([current], wallMs);
    world.apply(plan);
    const outcome = plan.outcomes[0]!;
    if (outcome.kind === 'decided') return outcome.decisions;
    assert.deepStrictEqual([plan.writes, plan.entries, plan.receipts, plan.heads], [[], [], [], []]);
    for (const { index, basis, current: server, incoming } of resolverNeeds(outcome.needs)) {
      const document = resolver(server, incoming);
      current = withFinding(current, index, {
        resolution: {
          basis,
          outcome:
            document === undefined ? { rejection: { code: 'resolver_failed', message: '' } } : { document },
        },
      });
    }
  }
  throw new Error('resolvers are asked without end');
}

/** Not answered for good: it may come again, and be taken then. */
function isJudgedAgain({ code }: Expected): boolean {
  return code !== null && NOT_FOR_GOOD.includes(code);
}

const NOT_FOR_GOOD: readonly string[] = [
  'batch_rolled_back',
  'clock_drift',
  'parent_unknown',
  'parent_refused',
  'invalid_change',
];

function told(answers: readonly Decision[]): Expected[] {
  return answers.map(({ status, new_version, server_version, code, replayed }) => ({
    status,
    new_version,
    server_version,
    code,
    replayed,
  }));
}

function expectNothingForeign(scope: string, what: unknown): void {
  assert(!JSON.stringify(what).includes(`owned by ${scope === 'A' ? 'B' : 'A'}`), 'nothing of another scope');
}

describe('the planner', () => {
  it('does what a plain model does, for any clients, clocks, retries and groups', () => {
    fc.assert(
      fc.property(fc.array(group, { minLength: 1, maxLength: 7 }), (groups) => {
        const world = new PushWorld();
        const clients = new Clients(world);
        const model = new PushModel();
        const firsts = new Map<string, Expected>();
        let wallMs = START;
        const check = (
          each: PlanRequest,
          answers: readonly Decision[],
          expected: readonly Expected[] | undefined,
        ): void => {
          assert.deepStrictEqual(told(answers), expected);
          assert.equal(answers.length, each.changes.length);
          expectNothingForeign(each.scopeId, answers);
          // A failed batch or group leaves receipts of its refusals alone: the others were not answered for good.
          ready(each).forEach(({ mutation }, index) => {
            const answer = told(answers)[index]!;
            if (!mutation || isJudgedAgain(answer)) return;
            const name = JSON.stringify([each.scopeId, each.clientId, mutation.id]);
            if (answer.replayed && firsts.has(name))
              assert.deepStrictEqual({ ...answer, replayed: false }, firsts.get(name));
            else if (answer.status !== 'rejected') assert(!firsts.has(name), 'taken once');
            if (!answer.replayed && world.receipts.get(name)?.hash === mutation.hash)
              firsts.set(name, answer);
          });
        };
        for (const { wallShift, trim, requests } of groups) {
          wallMs += wallShift;
          if (trim !== null) {
            const all = world.versions('A').length;
            const floor = Math.max(Math.min(trim, all), world.floors.get('A') ?? 0);
            world.floors.set('A', floor);
            model.trim('A', all - floor);
          }
          const built = requests
            .map((each) => clients.build(each, wallMs))
            .filter((each) => each.changes.length > 0);
          const plan = world.plan(built, wallMs);
          world.apply(plan);
          for (const entry of plan.entries) expectNothingForeign(entry.scope, entry);
          for (const write of plan.writes) expectNothingForeign(write.scopeId, write);
          const deferred: PlanRequest[] = [];
          plan.outcomes.forEach((outcome, index) => {
            const each = built[index]!;
            const expected = model.push(each, wallMs, DRIFT_MS);
            if (outcome.kind === 'decided') check(each, outcome.decisions, expected);
            else {
              assert.equal(expected, undefined);
              for (const { current, base } of resolverNeeds(outcome.needs))
                expectNothingForeign(each.scopeId, [current, base]);
              deferred.push(each);
            }
          });
          for (const each of deferred) {
            const answers = pushAlone(world, each, wallMs);
            check(each, answers, model.push(each, wallMs, DRIFT_MS, resolver));
          }
          for (const scope of ['A', 'B']) assert.deepStrictEqual(world.stored(scope), world.folded(scope));
        }
      }),
      runs(900),
    );
  });

  it('answers the same whether requests are planned in one group or one after another', () => {
    fc.assert(
      fc.property(
        fc.array(group, { maxLength: 3 }),
        fc.array(request, { minLength: 2, maxLength: 6 }),
        (history, last) => {
          const [together, apart] = [new PushWorld(), new PushWorld()];
          const clients = new Clients(together);
          for (const { requests } of history)
            for (const each of requests) {
              const built = clients.build(each, START);
              for (const world of [together, apart]) pushAlone(world, built, START);
            }
          const built = last.map((each) => clients.build(each, START));
          const plan = together.plan(built, START);
          together.apply(plan);
          const answers = built.map((each) => {
            const single = apart.plan([each], START);
            apart.apply(single);
            return single.outcomes[0]!;
          });
          const brief = (outcomes: typeof answers): unknown =>
            outcomes.map((outcome) => (outcome.kind === 'decided' ? told(outcome.decisions) : outcome.kind));
          assert.deepStrictEqual(brief([...plan.outcomes]), brief(answers));
          assert.deepStrictEqual(together.documents, apart.documents);
          assert.deepStrictEqual(together.log, apart.log);
        },
      ),
      runs(1000),
    );
  });
});
