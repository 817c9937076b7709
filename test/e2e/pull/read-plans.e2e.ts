import type { mongo } from 'mongoose';
import { testDatabase } from '../../support/database';
import { startReadingApp, type ReadingApp } from '../../support/reading-app';
import { SeededScope } from '../../support/seeded-scope';

interface Stage {
  readonly stage: string;
  readonly inputStage?: Stage;
  readonly inputStages?: readonly Stage[];
}

interface Explained {
  readonly queryPlanner: { readonly winningPlan: Stage & { readonly queryPlan?: Stage } };
  readonly executionStats: { readonly totalKeysExamined: number; readonly totalDocsExamined: number };
}

/** A query as it was sent, and how the database answers it. */
interface Seen {
  readonly command: mongo.Document;
  readonly stages: readonly string[];
  readonly keys: number;
  readonly documents: number;
}

const ENTRIES = 400;
const SCOPES = ['plan-a', 'plan-b', 'plan-c'];
/** Found by an index, in the order in which it is given. Anything else (COLLSCAN, SORT, OR) grows with the log. */
const CHEAP = new Set([
  'IXSCAN',
  'IDHACK',
  'EXPRESS_IXSCAN',
  'FETCH',
  'LIMIT',
  'SKIP',
  'PROJECTION_SIMPLE',
  'PROJECTION_COVERED',
]);

function stagesOf(plan: Stage): string[] {
  return [plan.stage, ...[plan.inputStage ?? [], plan.inputStages ?? []].flat().flatMap(stagesOf)];
}

describe('the queries of readers', () => {
  let reading: ReadingApp;
  let sent: mongo.Document[] = [];
  const head = new Map<string, string>();
  let middle = '';

  beforeAll(async () => {
    reading = await startReadingApp(testDatabase(__filename).uri, { client: { monitorCommands: true } });
    reading.client.on('commandStarted', ({ command }) => {
      if (command['find'] !== undefined || command['aggregate'] !== undefined) sent.push(command);
    });
    for (const scope of SCOPES) {
      const seeded = new SeededScope(reading.db, scope);
      const versions = await seeded.write(
        Array.from({ length: ENTRIES }, (_, n) => ({
          collection: n % 2 === 0 ? 'tasks' : 'notes',
          id: `${scope}-${String(n)}`,
          data: { n },
        })),
      );
      head.set(scope, seeded.head);
      middle = versions[ENTRIES / 2] ?? '';
    }
  });
  afterAll(() => reading.close());

  /** What the readers ask while this runs, and the plans of it. */
  async function plansOf(run: () => Promise<unknown>): Promise<Seen[]> {
    sent = [];
    await run();
    const commands = sent;
    sent = [];
    return Promise.all(commands.map(explain));
  }

  async function explain(command: mongo.Document): Promise<Seen> {
    const plain = Object.fromEntries(
      Object.entries(command).filter(([name]) => !/^(\$|lsid$|readConcern$|maxTimeMS$)/.test(name)),
    );
    const explained = (await reading.db.command({
      explain: plain,
      verbosity: 'executionStats',
    })) as unknown as Explained;
    const { winningPlan } = explained.queryPlanner;
    const { totalKeysExamined: keys, totalDocsExamined: documents } = explained.executionStats;
    return { command: plain, stages: stagesOf(winningPlan.queryPlan ?? winningPlan), keys, documents };
  }

  function expectCheap(seen: readonly Seen[], upTo: number): void {
    for (const { command, stages, keys, documents } of seen) {
      expect({ command, odd: stages.filter((stage) => !CHEAP.has(stage)) }).toEqual({ command, odd: [] });
      expect({ command, keys: Math.max(keys, upTo), documents: Math.max(documents, upTo) }).toEqual({
        command,
        keys: upTo,
        documents: upTo,
      });
    }
  }

  const from = (seen: readonly Seen[], collection: string): Seen[] =>
    seen.filter(({ command }) => command['find'] === collection);
  const identity = (scopeId: string) => ({ scopeId, actorId: 'ann' });

  it('find a head by its id, also those of many scopes', async () => {
    const seen = await plansOf(() =>
      Promise.all(
        [...SCOPES, ...SCOPES, 'plan-never'].map((scope) =>
          reading.sync.pull(identity(scope), { since: head.get(scope) }),
        ),
      ),
    );
    expect(seen.length).toBe(from(seen, 'sync_heads').length);
    expect(JSON.stringify(seen.map(({ command }) => command['filter'] as object))).toContain('$in');
    expectCheap(seen, 2 * SCOPES.length + 1);
  });

  it.each([
    ['from the beginning', () => ({})],
    ['from a cursor', () => ({ since: middle })],
    ['of one collection, from a cursor', () => ({ since: middle, collections: 'tasks' })],
  ])('read a page of the log %s and touch little more than they give', async (_what, query) => {
    const limit = 20;
    const seen = await plansOf(() => reading.sync.pull(identity('plan-b'), { ...query(), limit }));
    expect(seen.map(({ command }) => command['find'] as string)).toEqual(['sync_heads', 'sync_oplog']);
    // Every second entry is of the other collection.
    expectCheap(seen, 2 * limit + 4);
  });

  it('read documents of a full resync in the order of their ids, page by page', async () => {
    const limit = 30;
    let cursor: string | undefined;
    for (let page = 0; page < 3; page += 1) {
      const seen = await plansOf(async () => {
        const answer = await reading.sync.full(identity('plan-c'), { limit, ...(cursor ? { cursor } : {}) });
        for await (const chunk of answer.lines) expect(chunk.length).toBeGreaterThan(0);
        cursor = answer.nextCursor;
      });
      expectCheap(from(seen, 'tasks'), limit + 2);
      expect(from(seen, 'tasks')).toHaveLength(2);
      for (const { documents, command } of from(seen, 'tasks'))
        if ((command['projection'] as object | undefined) !== undefined) expect(documents).toBe(0);
    }
  });

  it('read all documents of a scope, and none of another', async () => {
    const seen = await plansOf(async () => {
      const answer = await reading.sync.full(identity('plan-a'), { limit: 0 });
      for await (const chunk of answer.lines) expect(chunk.length).toBeGreaterThan(0);
    });
    expectCheap(from(seen, 'tasks'), ENTRIES / 2 + 2);
    expectCheap(from(seen, 'notes'), ENTRIES / 2 + 2);
    const examined = from(seen, 'tasks').reduce((sum, { documents }) => sum + documents, 0);
    expect(examined).toBeLessThanOrEqual(ENTRIES / 2 + 2);
    expect(from(seen, 'orders')).toHaveLength(1);
    expectCheap(from(seen, 'orders'), 1);
  });
});
