import { isObject, type LogChange, type PullResponse, type SyncInfo } from 'nest-offline-sync-protocol';
import { byCollection } from './by-collection.ts';
import { readMeta, writeMeta } from './meta.ts';
import { quarantine } from './quarantine.ts';
import type { Replica } from './replica.ts';
import { repinned } from './rules/chain.ts';
import { later } from './rules/clock.ts';
import { isLost, type Stretch } from './rules/echo.ts';
import { failureOf } from './rules/failure.ts';
import type { Mutation } from './rules/mutation.ts';
import { begunLoad, loadEnded } from './rules/reader-state.ts';
import type { BaseRow } from './storage.ts';
import type { Tell } from './telemetry.ts';
import type { Answer, TakeLines, Transport } from './transport.ts';
import type { Work } from './work.ts';

/**
 * Stores entries of the log and the cursor behind them, in one transaction (C5). What is older than the base is skipped.
 *
 * @param since the cursor that they were asked with; if it is another one by now, nothing is stored
 * @returns false as well if they prove that the server has lost what it had taken: a load was begun then
 */
export async function takeEntries(
  replica: Replica,
  since: string | undefined,
  entries: readonly LogChange[],
  cursor: string,
  end: Pick<Stretch, 'isEnd' | 'answeredBefore'> = { isEnd: false, answeredBefore: new Set() },
): Promise<boolean> {
  const answered = replica.answered();
  const stretch = { since, next: cursor, versions: new Set(entries.map((each) => each.version)), ...end };
  return replica.write('leader', async (work) => {
    const position = await readMeta(work.stores.meta, 'position');
    if (position.load || position.cursor !== since) return false;
    const { info } = await readMeta(work.stores.meta, 'server');
    const readable = new Set(info?.collections.map(({ name }) => name));
    if (answered.some((each) => isLost(each, stretch, (name) => readable.has(name)))) {
      await work.move(begunLoad(position));
      await doubtAnswered(work);
      return false;
    }
    const strategy = await replica.strategies(work);
    const { generation } = position;
    const next = later(position.cursor ?? null, cursor) ?? cursor;
    for (const [collection, some] of byCollection(entries)) {
      await work.learn(
        collection,
        some.map(({ doc_id: id, version, data }) => ({ id, version, data, generation })),
      );
      for (const { doc_id: id } of some) await work.settle(collection, id, next, strategy(collection));
    }
    await settleAnswered(work, replica, next);
    await work.move({ ...position, cursor: next });
    await see(work, next);
    return true;
  });
}

/** Stores a page of a pull, or begins the load that it asks for. */
export async function takePull(
  replica: Replica,
  since: string | undefined,
  body: unknown,
  answeredBefore: ReadonlySet<number>,
): Promise<'unreadable' | 'more' | 'end'> {
  if (!isObject(body)) return 'unreadable';
  const page = body as unknown as PullResponse;
  if (page.full_resync_required) {
    await beginLoad(replica, page.reason === 'unknown_cursor');
    return 'more';
  }
  if (!Array.isArray(page.changes)) return 'unreadable';
  const end = { isEnd: !page.has_more, answeredBefore };
  const isStored = await takeEntries(replica, since, page.changes, page.last_seq, end);
  return isStored && !page.has_more ? 'end' : 'more';
}

/** To telemetry: an answer to a pull was stored. */
export function tellPull(tell: Tell, { body, sentAt, receivedAt }: Answer & { readonly ok: true }): void {
  const { changes = [] } = body as { readonly changes?: readonly unknown[] };
  if (changes.length > 0) tell({ type: 'pull', changes: changes.length, ms: receivedAt - sentAt });
}

/** R7: gives the cursor up and begins a load. What was answered by a database that was restored is in doubt until the end of it. */
export async function beginLoad(replica: Replica, isRestored: boolean): Promise<void> {
  await replica.write('leader', async (work) => {
    const { meta, base } = work.stores;
    const position = await readMeta(meta, 'position');
    const firsts = await Promise.all([...replica.shapes.keys()].map((name) => base.scan(name, { limit: 1 })));
    const isEmpty = firsts.every((rows) => rows.length === 0);
    await work.move(begunLoad(position, isEmpty));
    if (isRestored) await doubtAnswered(work);
  });
}

async function doubtAnswered(work: Work): Promise<void> {
  for (const each of await work.outbox()) if (each.state === 'answered') await work.doubt(each);
}

/** A question about the replica's scope, with the identity that its data belongs to; the first answer tells which that is. */
export async function ask(
  replica: Replica,
  transport: Transport,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  lines?: TakeLines,
): Promise<Answer> {
  const { scope } = replica;
  let { identity } = await replica.meta('server');
  const asked = {
    ...{ scope, expected_identity: identity, client_schema: transport.clientSchema },
    client_id: replica.client.id,
    ...query,
  };
  // C8: what somebody else is told is not for this database.
  const isOwn = async (told: string | null): Promise<boolean> => {
    if (told !== null && identity === undefined) await replica.identify((identity = told));
    return told === null || told === identity;
  };
  const taken: TakeLines | undefined =
    lines && (async (some, header) => (await isOwn(header(IDENTITY))) && lines(some, header));
  const answer = await transport.request({
    method: 'GET',
    path,
    query: asked,
    ...(taken ? { lines: taken } : {}),
  });
  if (answer.ok && !(await isOwn(answer.header(IDENTITY))))
    return { ok: false, failure: failureOf(409, { code: 'identity_changed' }, NaN) };
  return answer;
}

const IDENTITY = 'x-sync-identity';

const SWEEP_ROWS = 500;

/**
 * Removes what older loads have left and this one has not found. Then the load has ended.
 *
 * @param readable what this device may read
 */
export async function sweep(replica: Replica, readable: readonly string[]): Promise<void> {
  const { load } = await replica.meta('position');
  for (const collection of load?.isFirst ? [] : (load?.collections ?? [])) {
    let after: BaseRow['id'] | undefined;
    do
      after = await replica.write('leader', async (work) => {
        const { generation } = await readMeta(work.stores.meta, 'position');
        const rows = await work.stores.base.scan(collection, {
          ...(after === undefined ? {} : { after }),
          limit: SWEEP_ROWS,
        });
        const old = rows.filter((row) => row.generation < generation).map((row) => row.id);
        await work.remove(collection, old);
        return rows.length < SWEEP_ROWS ? undefined : rows.at(-1)?.id;
      });
    while (after !== undefined);
  }
  await endLoad(replica, readable);
}

/** What is here counts from now on, with the cursor. What waited for it goes on. */
export async function endLoad(replica: Replica, readable: readonly string[]): Promise<void> {
  await replica.write('leader', async (work) => {
    const before = await readMeta(work.stores.meta, 'position');
    const position = loadEnded(before, readable);
    await work.move(position);
    await see(work, position.cursor ?? null);
    // Of a collection that is loaded next nothing is proved yet. Where nothing can be read, nothing ever is.
    const isProved = (name: string): boolean =>
      position.covered?.includes(name) !== false || !readable.includes(name);
    await resolveDoubts(work, isProved);
    await adoptOrphans(work, replica, isProved);
    await settleAnswered(work, replica, position.cursor);
    if (position.isComplete) work.loaded();
  });
}

/** What the server says about itself, and its time. */
export async function takeInfo(replica: Replica, info: SyncInfo, offset: number | undefined): Promise<void> {
  await replica.write('leader', async (work) => {
    const { meta } = work.stores;
    await writeMeta(meta, 'server', { ...(await readMeta(meta, 'server')), info });
    if (offset !== undefined) await writeMeta(meta, 'clock', { ...(await readMeta(meta, 'clock')), offset });
  });
  replica.offset = offset ?? replica.offset;
}

/** The server's clock, as a socket tells it. Written only when it has moved, since pings are many. */
export async function takeTime(replica: Replica, offset: number): Promise<void> {
  const clock = await replica.meta('clock');
  if (clock.offset !== undefined && Math.abs(clock.offset - offset) < 1_000) return;
  await replica.write('leader', async ({ stores: { meta } }) => {
    await writeMeta(meta, 'clock', { ...(await readMeta(meta, 'clock')), offset });
  });
  replica.offset = offset;
}

/** R3: mutations whose document nothing tells about any more, because the cursor has passed them. */
async function settleAnswered(work: Work, replica: Replica, cursor: string | undefined): Promise<void> {
  const all = replica.answered();
  if (all.length === 0) return;
  const strategy = await replica.strategies(work);
  await work.documents.holdAll(all.filter((each) => !each.aside));
  for (const each of all)
    if (!each.aside) await work.settle(each.collection, each.doc, cursor, strategy(each.collection));
    else if (cursor !== undefined && cursor >= (each.answer?.version ?? '')) work.end(each);
}

/** R7: what the restored database does not have goes again, under the same id and in the same words. */
async function resolveDoubts(work: Work, isProved: (collection: string) => boolean): Promise<void> {
  for (const mutation of await work.outbox()) {
    if (!mutation.doubtful || !isProved(mutation.collection)) continue;
    const { nextBase } = await work.document(mutation.collection, mutation.doc);
    const isThere = (nextBase?.version ?? '') >= (mutation.answer?.version ?? '');
    const { doubtful: _, answer, ...rest } = mutation;
    await work.put(isThere ? { ...rest, answer } : { ...rest, state: 'sent' });
  }
}

/** Edits whose parent was of another database are made on what is here now, or go to the user. */
async function adoptOrphans(
  work: Work,
  replica: Replica,
  isProved: (collection: string) => boolean,
): Promise<void> {
  const strategy = await replica.strategies(work);
  for (const mutation of await work.outbox()) {
    if (!mutation.orphan || !isProved(mutation.collection)) continue;
    const { base } = await work.seen(mutation.collection, mutation.doc);
    const { orphan: _, ...rest } = mutation;
    const ground = { base, cursor: undefined, strategy: strategy(mutation.collection) };
    const adopted = repinned(rest, ground);
    if (adopted) await work.put(adopted);
    else {
      const told = { code: 'parent_unknown' as const, error: ORPHANED };
      const unit = await unitOf(work, mutation);
      const results = unit.map((each) =>
        each.seq === mutation.seq ? told : { code: 'batch_rolled_back' as const, error: ORPHANED },
      );
      const fallen = await quarantine(work, unit, results, replica.environment.now());
      for (const each of fallen) await work.settle(each.collection, each.doc, undefined, undefined);
    }
  }
}

const ORPHANED =
  'The server was reset or restored, and others have changed the same fields since: try the change again, or discard it.';

async function unitOf(work: Work, mutation: Mutation): Promise<Mutation[]> {
  if (mutation.tx === undefined) return [mutation];
  return (await work.outbox()).filter((each) => each.tx === mutation.tx);
}

async function see(work: Work, version: string | null): Promise<void> {
  const clock = await readMeta(work.stores.meta, 'clock');
  await writeMeta(work.stores.meta, 'clock', { ...clock, seen: later(clock.seen, version) });
}
