import {
  isObject,
  type DocumentsAnswer,
  type FullLine,
  type LogChange,
  type PullResponse,
} from 'nest-offline-sync-protocol';
import { readMeta } from './meta.ts';
import { ask, endLoad } from './reading.ts';
import type { Replica } from './replica.ts';
import { begunPart, pageLoaded } from './rules/reader-state.ts';
import { NETWORK, type Failure } from './rules/failure.ts';
import type { BaseRow } from './storage.ts';
import type { Transport } from './transport.ts';

/*
 * A collection that gives no full resync is read from the beginning of its log. The rows that are here stay shown meanwhile, and no
 * older state is shown after a newer one. What the log does not prove after that (it was trimmed, or the database was restored) is asked for
 * by its ids. What was written in the part that was trimmed, and is not here, cannot be had: that is told.
 */

export async function beginPart(replica: Replica, collection: string): Promise<void> {
  await replica.write('leader', async (work) => {
    await work.move(begunPart(await readMeta(work.stores.meta, 'position'), collection));
  });
}

export type PartStep =
  | { readonly kind: 'on' }
  /** @param isTrimmed rows that are not here may be missing */
  | { readonly kind: 'read'; readonly isTrimmed: boolean }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** A page of its log. */
export async function readPart(
  replica: Replica,
  transport: Transport,
  part: string,
  page: string | undefined,
): Promise<PartStep> {
  const answer = await ask(replica, transport, 'pull', { since: page, collections: part });
  if (!answer.ok) return { kind: 'failed', failure: answer.failure };
  if (!isObject(answer.body)) return { kind: 'failed', failure: NETWORK };
  const body = answer.body as unknown as PullResponse;
  if (body.full_resync_required === true) {
    // From a page in the middle it is begun again; from the beginning there is none any more.
    if (page !== undefined) await beginPart(replica, part);
    else await takePart(replica, undefined, [], undefined, true);
    return page === undefined ? { kind: 'read', isTrimmed: true } : { kind: 'on' };
  }
  if (!Array.isArray(body.changes)) return { kind: 'failed', failure: NETWORK };
  const { changes, last_seq: next, has_more: hasMore } = body;
  await takePart(replica, page, changes, next, !hasMore);
  return hasMore ? { kind: 'on' } : { kind: 'read', isTrimmed: false };
}

async function takePart(
  replica: Replica,
  page: string | undefined,
  entries: readonly LogChange[],
  next: string | undefined,
  isEnd: boolean,
): Promise<void> {
  await replica.write('leader', async (work) => {
    const position = await readMeta(work.stores.meta, 'position');
    const { load, generation, cursor } = position;
    if (load?.part === undefined || load.page !== page) return;
    const strategy = await replica.strategies(work);
    await work.documents.hold(
      load.part,
      entries.map((each) => each.doc_id),
    );
    for (const { doc_id: id, version, data } of entries) {
      await work.confirm(load.part, { id, version, data, generation });
      await work.settle(load.part, id, cursor, strategy(load.part));
    }
    const after = { lastSeq: load.lastSeq ?? '', next: isEnd ? null : next, rows: entries.length };
    await work.move(pageLoaded(position, after));
  });
}

const DOCUMENTS = 100;
const SCAN = 500;

/** Asks for the rows that the log did not prove, and ends the load. @returns why not, if it failed */
export async function verifyPart(
  replica: Replica,
  transport: Transport,
  part: string,
  readable: readonly string[],
): Promise<Failure | undefined> {
  const { generation } = await replica.meta('position');
  let after: BaseRow['id'] | undefined;
  do {
    const rows: readonly BaseRow[] = await replica.database.transaction('read', ['base'], ({ base }) =>
      base.scan(part, { ...(after === undefined ? {} : { after }), limit: SCAN }),
    );
    const old = rows.filter((row) => row.generation < generation && !row.local).map((row) => row.id);
    for (let at = 0; at < old.length;) {
      const ids = old.slice(at, at + DOCUMENTS);
      const answer = await ask(replica, transport, 'documents', {
        collection: part,
        ids: JSON.stringify(ids),
      });
      if (!answer.ok) return answer.failure;
      if (!isObject(answer.body)) return NETWORK;
      const body = answer.body as unknown as DocumentsAnswer;
      if (!Array.isArray(body.documents) || !Array.isArray(body.remaining)) return NETWORK;
      const asked = ids.length - (body.remaining.length ?? 0);
      if (asked === 0) return NETWORK;
      await takeDocuments(
        replica,
        part,
        ids.filter((id) => !body.remaining.includes(id)),
        body.documents,
      );
      at += asked;
    }
    after = rows.length < SCAN ? undefined : rows.at(-1)?.id;
  } while (after !== undefined);
  await endLoad(replica, readable);
  return undefined;
}

async function takeDocuments(
  replica: Replica,
  part: string,
  ids: readonly BaseRow['id'][],
  documents: readonly FullLine[],
): Promise<void> {
  await replica.write('leader', async (work) => {
    const { generation, cursor } = await readMeta(work.stores.meta, 'position');
    const strategy = await replica.strategies(work);
    const found = new Map(documents.map((each) => [each.doc_id, each]));
    await work.documents.hold(part, ids);
    for (const id of ids) {
      const document = found.get(id);
      if (!document) await work.remove(part, [id]);
      else {
        const { version, deleted, data } = document;
        await work.learn(part, [{ id, version, data: deleted ? null : data, generation }]);
      }
      await work.settle(part, id, cursor, strategy(part));
    }
  });
}
