import * as fc from 'fast-check';
import '../../../test/support/runs.ts';
import type { Fetch, FetchAnswer } from './environment.ts';
import { collection, createSyncClient, memory, type SyncClient } from './index.ts';
import { FakeServer, FaultyNetwork, VirtualTime } from './testing/index.ts';

const collections = { tasks: collection<{ title: string }>() };
type Client = SyncClient<typeof collections>;

/** What becomes of the body of an answer. */
interface Flow {
  /** Bytes a piece. */
  readonly size: number;
  /** The connection ends before this piece; undefined: never. */
  readonly breaksAt?: number | undefined;
  /** Before each piece. */
  readonly before?: (piece: number) => Promise<void> | void;
  /** Whose answer it is said to be. */
  readonly identity?: string;
}

/** An answer whose body comes piece by piece. */
function flowing(
  answer: FetchAnswer,
  { size, breaksAt, before, identity }: Flow,
  signal: AbortSignal,
): FetchAnswer {
  const aborted = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(new TypeError('Aborted.'))),
  );
  aborted.catch(() => undefined);
  const read = async function* (): AsyncGenerator<Uint8Array> {
    const bytes = new TextEncoder().encode(await answer.text());
    for (let at = 0; at < bytes.length; at += size) {
      await before?.(at / size);
      if (breaksAt === at / size) throw new TypeError('The connection was closed.');
      yield bytes.subarray(at, at + size);
    }
  };
  const pieces = read();
  return {
    status: answer.status,
    headers: {
      get: (name) =>
        name === 'x-sync-identity' && identity !== undefined ? identity : answer.headers.get(name),
    },
    text: () => answer.text(),
    body: {
      getReader: () => ({
        read: async () => {
          const { done, value } = await Promise.race([pieces.next(), aborted]);
          return done === true ? { done: true } : { done: false, value };
        },
      }),
    },
  };
}

function device(rows: number, pageSize = 10_000) {
  const time = new VirtualTime(Date.UTC(2026, 4, 2));
  const server = new FakeServer({ collections: ['tasks'], now: () => time.now, pageSize });
  for (let n = 0; n < rows; n++)
    server.edit('ann', 'tasks', `t${String(n)}`, { title: `Größe ${String(n)} 👟` });
  const network = new FaultyNetwork(server);
  const storage = memory();
  /** Of the next pages; those after them come in one piece. */
  const flows: Flow[] = [];
  const fetch: Fetch = async (url, request) => {
    const answer = await network.fetch(url, request);
    const flow = url.includes('/full') ? flows.shift() : undefined;
    return flow ? flowing(answer, flow, request.signal as AbortSignal) : answer;
  };
  const started = async (): Promise<Client> => {
    const client = createSyncClient({
      url: 'https://shop.example/sync',
      storage,
      auth: { token: () => server.token('ann') },
      collections,
      environment: { ...time.environment(), fetch, socket: network.socket, onWake: undefined },
    });
    await client.open();
    return client;
  };
  return { time, server, flows, started };
}

const idsOf = async (client: Client) => (await client.db.tasks.find()).map(({ _id }) => _id).toSorted();

describe('a first load', () => {
  it('shows what has come, and how much that is, while the rest of the page is on its way', async () => {
    const { time, flows, started } = device(1_200);
    let goOn = (): void => undefined;
    const before = (piece: number): Promise<void> | undefined =>
      piece === 1 ? new Promise((resolve) => (goOn = resolve)) : undefined;
    flows.push({ size: 90_000, before });
    const client = await started();
    await time.pass(1_000);
    const shown = (await client.db.tasks.find()).length;
    expect(shown).toBeGreaterThan(100);
    expect(shown).toBeLessThan(1_200);
    expect(client.status.current).toMatchObject({ phase: 'loading', progress: { rows: shown, of: 1_200 } });
    goOn();
    await time.pass(1_000);
    expect(client.status.current.phase).toBe('live');
    expect(await client.db.tasks.find()).toHaveLength(1_200);
    await client.close();
  });

  it('goes on with the page after the app was ended in the middle of it', async () => {
    const { time, server, flows, started } = device(1_200);
    flows.push({ size: 90_000, before: (piece) => (piece === 1 ? new Promise(() => undefined) : undefined) });
    const first = await started();
    await time.pass(1_000);
    expect(await first.db.tasks.find()).not.toEqual([]);
    await first.close();
    server.edit('ann', 'tasks', 't0', null);
    const second = await started();
    await time.pass(1_000);
    expect(second.status.current.phase).toBe('live');
    const ids = await idsOf(second);
    expect(ids).toHaveLength(1_199);
    expect(ids).not.toContain('t0');
    await second.close();
  });

  it('ends with what the server has, wherever pages are cut and whatever is written meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            size: fc.integer({ min: 3_000, max: 30_000 }),
            breaksAt: fc.option(fc.nat(20), { nil: undefined }),
            edits: fc.array(fc.record({ piece: fc.nat(20), id: fc.nat(620), isDelete: fc.boolean() }), {
              maxLength: 4,
            }),
          }),
          { minLength: 1, maxLength: 4 },
        ),
        fc.constantFrom(250, 600, 10_000),
        async (given, pageSize) => {
          const { time, server, flows, started } = device(600, pageSize);
          for (const { size, breaksAt, edits } of given)
            flows.push({
              size,
              breaksAt,
              before: (at) => {
                for (const { piece, id, isDelete } of edits)
                  if (piece === at)
                    server.edit('ann', 'tasks', `t${String(id)}`, isDelete ? null : { title: 'new' });
              },
            });
          const client = await started();
          await time.pass(300_000);
          expect(client.status.current.phase).toBe('live');
          const ids = Array.from({ length: 621 }, (_, n) => `t${String(n)}`);
          const live = ids.filter((id) => server.document('ann', 'tasks', id)?.deleted === false);
          expect(await idsOf(client)).toEqual(live.toSorted());
          await client.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('keeps nothing that somebody else is told', async () => {
    const { time, flows, started } = device(1_200);
    flows.push({ size: 90_000, identity: 'another' });
    const client = await started();
    await time.pass(1_000);
    expect(client.status.current).toMatchObject({ phase: 'blocked', blockedBy: 'identity' });
    expect(await client.db.tasks.find()).toEqual([]);
    await client.close();
  });
});
