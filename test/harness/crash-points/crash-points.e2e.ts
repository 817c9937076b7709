import mongoose from 'mongoose';
import { startEmbeddedMongo } from '../../../libs/embedded-mongo/src';
import { EngineProcess } from './engine-process';
import { KINDS } from './kinds/all';
import { CrashMatrix } from './matrix';
import { MortalProcess } from './mortal-process';
import { NEIGHBOUR_PUSHES, type Recovered } from './recovery';
import { syncedCollections } from './synced-collections';
import { LEDGER, readTruth } from './truth';
import { upsert } from '../../support/http-app';

const DATABASE = 'crash_points';
const VICTIMS = 3;
const CUT_OFF = 6;

jest.setTimeout(1_200_000);

describe('a process that stops at any step', () => {
  let matrix: CrashMatrix;
  const closing: (() => unknown)[] = [];

  beforeAll(async () => {
    // Its own server: many transactions are left open, and on a slow machine for longer than MongoDB's own minute.
    const server = await startEmbeddedMongo({
      args: ['--setParameter', 'transactionLifetimeLimitSeconds=3600'],
    });
    closing.push(() => server.stop());
    const client = await mongoose.mongo.MongoClient.connect(server.uri);
    closing.push(() => client.close());
    const db = client.db(DATABASE);
    await db.createCollection(LEDGER);
    await db
      .collection('unique')
      .createIndex(
        { _sync_scope_id: 1, code: 1 },
        { unique: true, partialFilterExpression: { _sync_deleted: false } },
      );
    // Somebody else edits the document while its resolver is asked.
    const collections = syncedCollections(async (scopeId, parent_version) => {
      const on = matrix.caseOf(scopeId);
      await on?.once('moved', () => on.others('a', upsert('moving', 'd', { theirs: 2 }, { parent_version })));
    });
    const names = collections.map(({ name }) => name);
    const port = Number(new URL(server.uri).port);
    const uri = `mongodb://127.0.0.1:${String(port)}/${DATABASE}?directConnection=true`;
    const survivor = await EngineProcess.start(uri, collections);
    closing.push(() => survivor.close());
    const mortals = await Promise.all(
      Array.from({ length: VICTIMS + CUT_OFF }, () => MortalProcess.start(port, DATABASE, collections)),
    );
    closing.push(() => Promise.all(mortals.map((mortal) => mortal.close())));
    matrix = new CrashMatrix({
      survivor,
      victims: mortals.slice(0, VICTIMS),
      cutOff: mortals.slice(VICTIMS),
      look: (scopes) => readTruth(db, names, scopes),
    });
    closing.push(() => {
      matrix.close();
    });
    await matrix.run(KINDS);
    console.info(String(matrix));
  });

  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  it.each(KINDS.map((kind) => [kind.name, kind] as const))('has the steps to stop at: %s', (_, kind) => {
    const { steps, seed, done } = matrix.recordings.get(kind)!;
    const written = steps
      .filter(({ name }) => ['insert', 'update', 'delete', 'findAndModify'].includes(name))
      .map(({ target }) => target);
    expect(steps.map(({ name }) => name)).toContain('commitTransaction');
    for (const [scope, { head, entries, receipts }] of done) {
      const before = seed.get(scope)!;
      if (head?.seq !== before.head?.seq) expect(written).toContain('sync_heads');
      if (entries.length > before.entries.length) expect(written).toContain('sync_oplog');
      if (receipts.length > before.receipts.length) expect(written).toContain('sync_receipts');
    }
  });

  it.each([
    ['steps', 'takes the steps that were recorded, and stops there'],
    ['left', 'leaves all of what was committed and nothing else'],
    ['retry', 'lets the client’s retry through'],
    ['answers', 'answers a retry with the truth'],
    ['end', 'ends as if nothing had happened, each mutation once'],
    ['invariants', 'keeps order, heads, receipts, and documents as the log says'],
    ['pulled', 'gives a pulling reader each change once'],
    ['streamed', 'gives a subscriber each change once'],
    ['full', 'gives a full resync what is stored'],
  ])('%s: %s', (subject) => {
    expect(matrix.findings.of(subject)).toEqual([]);
  });

  it('never blocks another scope', () => {
    const pushed = Array<Recovered>(NEIGHBOUR_PUSHES).fill('neighbour pushed');
    expect(matrix.recovered.slice(0, NEIGHBOUR_PUSHES)).toEqual(pushed);
    expect(matrix.recovered.slice(NEIGHBOUR_PUSHES)).toContain('blocked came back');
  });
});
