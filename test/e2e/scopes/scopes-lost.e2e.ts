import {
  formatHlc,
  parseHlc,
  SyncService,
  type AccessLevel,
  type ScopesPort,
  type StreamMessage,
  type SyncIdentity,
} from 'nest-offline-sync';
import type { EntryRecord } from '../../../libs/sync/src/log/records';
import { noticeOf } from '../../../libs/sync/src/stream/access-notice';
import { ScopeWatches } from '../../../libs/sync/src/stream/scope-watches';
import { openChangeStreams } from '../../support/change-streams';
import { testDatabase } from '../../support/database';
import { startStreamApp, type StreamApp } from '../../support/stream-app';
import { eventually, upTo, type StreamClient } from '../../support/stream-client';

/** A table of members that two processes share, and that can be slow or away. */
class SharedMembers implements ScopesPort {
  readonly allowed = new Set<string>();
  questions = 0;
  /** What stands in for an answer, while it is set. */
  instead: (() => Promise<AccessLevel>) | undefined;

  list(): string[] {
    return [];
  }

  access({ actorId, user }: SyncIdentity, scope: string): AccessLevel | Promise<AccessLevel> {
    this.questions += 1;
    if (this.instead) return this.instead();
    const { role } = user as { role?: string };
    return role !== 'out' && this.allowed.has(`${actorId} ${scope}`) ? 'write' : 'none';
  }
}

const HOUR_MS = 3_600_000;
const { uri } = testDatabase(__filename);
const members = new SharedMembers();
/** Two processes of one deployment that ask by themselves once in an hour, and one that asks all the time. */
let first: StreamApp;
let second: StreamApp;
let eager: StreamApp;
/** Asks by itself once in an hour, and nothing tells it what has changed. */
let lonely: StreamApp;
const LONELY = `lonely-${String(process.pid)}`;
let runs = 0;
let actor: string;
let team: string;

beforeAll(async () => {
  const start = (scopeCheckIntervalMs: number, appName = 'app'): Promise<StreamApp> =>
    startStreamApp({
      uri,
      appName,
      options: { scopes: members, scopeCheckIntervalMs, retryDeadlineMs: 500 },
    });
  [first, second, eager] = [await start(HOUR_MS), await start(HOUR_MS), await start(200)];
  lonely = await start(HOUR_MS, LONELY);
});
beforeEach(() => {
  runs += 1;
  [actor, team] = [`u${String(runs)}`, `team${String(runs)}`];
  members.allowed.add(`${actor} ${team}`);
});
afterEach(() => {
  members.instead = undefined;
  for (const app of [first, second, eager, lonely]) app.hangUp();
});
afterAll(async () => {
  for (const app of [first, second, eager, lonely]) await app.app.close();
});

const syncOf = ({ app }: StreamApp): SyncService => app.get(SyncService);
const own = (): string => `own-${actor}`;
async function listening(app: StreamApp): Promise<StreamClient> {
  const token = app.token({ business_id: own(), user_id: actor });
  const client = await app.connect(`/sync/stream?token=${token}`);
  for (const scope of [own(), team]) client.say({ type: 'subscribe', scope, ack: true });
  await client.until('subscribed', 2);
  return client;
}
const withdraw = (): boolean => members.allowed.delete(`${actor} ${team}`);
/** That the socket lives, and that nothing of the lost scope came since. */
async function onlyOwn(client: StreamClient, app: StreamApp): Promise<void> {
  const lost = client.messages.findIndex(({ type }) => type === 'scope_lost');
  await app.push(team, ['tasks', 'tasks']);
  const seq = await app.push(own(), ['tasks']);
  await eventually('its own scope', () => client.entries.at(-1)?.doc_id === `${own()}-${String(seq)}`);
  const after = client.messages.slice(lost + 1).filter(({ type }) => type === undefined);
  expect(after.map(({ doc_id }) => String(doc_id)).filter((id) => id.startsWith(team))).toEqual([]);
  expect(client.closeCode).toBeUndefined();
}

describe('a scope that is lost', () => {
  it('ends at the socket of every process when the app says so, and nothing else does', async () => {
    const clients = [await listening(first), await listening(second)];
    await first.push(team, ['tasks']);
    for (const client of clients) await client.untilSeq(1);
    withdraw();
    await syncOf(second).accessChanged(actor);
    for (const client of clients)
      expect(await client.until('scope_lost')).toEqual({ type: 'scope_lost', scope: team });
    await onlyOwn(clients[0]!, first);
    for (const client of clients) expect(client.ofType('scope_lost')).toHaveLength(1);
  });

  it('ends within the interval, also when the app says nothing', async () => {
    const client = await listening(eager);
    withdraw();
    await client.until('scope_lost');
    await onlyOwn(client, eager);
  });

  it('can be subscribed to again once the app allows it', async () => {
    const client = await listening(first);
    withdraw();
    await syncOf(first).accessChanged(actor);
    await client.until('scope_lost');
    client.say({ type: 'subscribe', scope: team });
    expect(await client.until('error')).toMatchObject({ code: 'scope_forbidden', scope: team });
    members.allowed.add(`${actor} ${team}`);
    client.say({ type: 'subscribe', scope: team, ack: true });
    await client.until('subscribed', 3);
    const seq = await first.push(team, ['tasks']);
    await eventually('the scope again', () => client.entries.at(-1)?.doc_id === `${team}-${String(seq)}`);
  });

  it('is not lost to those whom the change is not about, nor to one who may stay', async () => {
    const client = await listening(first);
    const asked = members.questions;
    await syncOf(second).accessChanged('somebody-else');
    await syncOf(second).accessChanged(actor);
    await eventually('the question', () => members.questions > asked);
    await first.push(team, ['tasks']);
    await client.untilSeq(1);
    expect(client.ofType('scope_lost')).toEqual([]);
  });

  it('ends with fresh credentials that do not reach it', async () => {
    const client = await listening(first);
    client.say({ type: 'token', token: first.token({ business_id: own(), user_id: actor, role: 'out' }) });
    expect(await client.until('scope_lost')).toEqual({ type: 'scope_lost', scope: team });
    await onlyOwn(client, first);
  });

  it('ends an iteration of the app’s own', async () => {
    const identity = { scopeId: own(), actorId: actor, user: {} };
    const seen: StreamMessage['kind'][] = [];
    const reading = (async () => {
      for await (const message of syncOf(first).stream(identity, { scope: team })) {
        seen.push(message.kind);
        if (message.kind !== 'change') continue;
        withdraw();
        await syncOf(first).accessChanged(actor);
      }
    })();
    await first.push(team, ['tasks']);
    await reading;
    expect(seen).toEqual(['change', 'scope_lost']);
  });

  it('ends where its notice was missed with a change stream that was lost', async () => {
    const client = await listening(lonely);
    withdraw();
    const { oplog } = lonely;
    await eventually('its change stream between two questions', async () => {
      const cursors = await openChangeStreams(oplog.client, LONELY);
      if (cursors.length > 0) await oplog.db.command({ killCursors: oplog.entries.collectionName, cursors });
      return cursors.length > 0;
    });
    await client.until('scope_lost');
    await onlyOwn(client, lonely);
  });

  it('ends a response of a full resync that is still being written', async () => {
    const identity = { scopeId: own(), actorId: actor, user: {} };
    await eager.push(
      team,
      Array.from({ length: 400 }, () => 'tasks'),
      'x'.repeat(2_000),
    );
    const { lines } = await syncOf(eager).full(identity, { scope: team, limit: 0 });
    const asked = members.questions;
    const read = async (): Promise<void> => {
      for await (const chunk of lines) {
        expect(chunk.length).toBeGreaterThan(0);
        withdraw();
        // Nothing but the interval says that the app is to be asked again.
        const now = performance.now();
        await eventually('an interval', () => performance.now() - now > 200);
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'scope_forbidden' });
    expect(members.questions).toBe(asked + 1);
  });
});

describe('while the app cannot say who may read', () => {
  it('nothing more of the scope comes, and then all of it, without a gap', async () => {
    const client = await listening(first);
    let answer: (level: AccessLevel) => void = () => undefined;
    members.instead = () => new Promise((resolve) => (answer = resolve));
    const asked = members.questions;
    await syncOf(first).accessChanged(actor);
    await eventually('the question', () => members.questions > asked);
    await first.push(team, ['tasks', 'notes', 'tasks']);
    await first.push(own(), ['tasks']);
    await client.untilSeq(1);
    expect(client.entries.map(({ doc_id }) => doc_id)).toEqual([`${own()}-1`]);
    members.instead = undefined;
    answer('read');
    await eventually('the rest', () => client.entries.length === 4);
    expect(client.seqs.slice(1)).toEqual(upTo(3));
  });

  it('a subscription ends after three questions without an answer, and the socket lives', async () => {
    const client = await listening(first);
    let failed = 0;
    members.instead = async () => {
      failed += 1;
      if (failed === 2) return new Promise(() => undefined);
      throw new Error('s3cr3t');
    };
    await syncOf(first).accessChanged(actor);
    const error = await client.until('error');
    expect(error).toMatchObject({ code: 'unavailable', scope: team });
    expect(JSON.stringify(error)).not.toContain('s3cr3t');
    expect(failed).toBe(3);
    expect(client.ofType('scope_lost')).toEqual([]);
    members.instead = undefined;
    await onlyOwn(client, first);
  });
});

describe('a subscription that was not opened in time', () => {
  it('is not asked about for ever', async () => {
    const slow = await startStreamApp({
      uri,
      options: { scopes: members, subscribeTimeoutMs: 200, scopeCheckIntervalMs: 100 },
    });
    try {
      const token = slow.token({ business_id: own(), user_id: actor });
      const client = await slow.connect(`/sync/stream?token=${token}`);
      let answer: (level: AccessLevel) => void = () => undefined;
      members.instead = () => new Promise((resolve) => (answer = resolve));
      client.say({ type: 'subscribe', scope: team });
      expect(await client.until('error')).toMatchObject({ code: 'unavailable', scope: team });
      answer('read');
      members.instead = undefined;
      await eventually('the end of the watch', () => slow.app.get(ScopeWatches).size === 0);
      expect(client.closeCode).toBeUndefined();
    } finally {
      slow.hangUp();
      await slow.app.close();
    }
  });
});

describe('notices', () => {
  it('come before what was written after them, also in one answer of the database', async () => {
    const client = await listening(first);
    await first.push(team, ['tasks']);
    await client.untilSeq(1);
    let answer: (level: AccessLevel) => void = () => undefined;
    members.instead = () => new Promise((resolve) => (answer = resolve));
    const { oplog } = first;
    const last = await oplog.entries.findOne({ scope: team });
    if (!last) throw new Error('The scope has an entry');
    const ms = (parseHlc(last.version)?.ms ?? 0) + 1;
    const entry = (seq: number): EntryRecord => {
      const version = formatHlc({ ms: ms + seq, counter: 0, node: 'writer' });
      const wire = JSON.stringify({ ...(JSON.parse(last.wire) as object), seq, version });
      return {
        scope: team,
        seq,
        version,
        collection: 'tasks',
        doc: '',
        operation: 'upsert',
        actor: '',
        at: last.at,
        wire,
      };
    };
    // One transaction: its events come together.
    await oplog.client.withSession((session) =>
      session.withTransaction(async () => {
        const notice = noticeOf(actor, new Date(), 'of a test', 7);
        await oplog.entries.insertMany([entry(2), notice, entry(3)], { session });
        const { seq, version } = entry(3);
        await oplog.heads.updateOne({ _id: team, seq: 1 }, { $set: { seq, version } }, { session });
      }),
    );
    const seq = await first.push(own(), ['tasks']);
    await eventually('its own scope', () => client.entries.at(-1)?.doc_id === `${own()}-${String(seq)}`);
    expect(client.entries.some((heard) => heard.version === entry(3).version)).toBe(false);
    answer('read');
    members.instead = undefined;
    await eventually('the rest', () => client.entries.some((heard) => heard.version === entry(3).version));
  });

  it('leave nothing behind in the log but themselves, for a while', async () => {
    await listening(first);
    await syncOf(first).accessChanged(actor);
    const rows = await first.oplog.entries.find({ scope: '\0access' }).toArray();
    expect(rows.length).toBeGreaterThan(0);
    const old = { ...rows[0]!, _id: undefined, seq: 1, version: '2020-01-01T00:00:00.000Z x' };
    await first.oplog.entries.insertOne(old);
    await syncOf(first).accessChanged(actor);
    await eventually(
      'the old one to go',
      async () => !(await first.oplog.entries.findOne({ seq: 1, scope: '\0access' })),
    );
    expect(await first.oplog.entries.countDocuments({ scope: '\0access' })).toBe(rows.length + 1);
  });

  it.each([undefined, null, '', {}, 1.5])('are refused about %p', async (nobody) => {
    await expect(syncOf(first).accessChanged(nobody as never)).rejects.toMatchObject({
      code: 'configuration',
    });
  });
});
