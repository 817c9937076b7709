import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mongoose from 'mongoose';
import { judge, outagesOf, renderVerdict, runWorkload } from '../../../libs/conformance/src';
import type { History, PushEvent } from '../../../libs/conformance/src';
import { runCli } from '../../../libs/sync/src/cli/program';
import {
  APP_COLLECTIONS,
  APP_WRITE,
  startConformanceApp,
  type ConformanceApp,
} from '../../support/conformance-app';
import { testDatabase } from '../../support/database';

describe('conformance', () => {
  const database = testDatabase(__filename);
  let app: ConformanceApp;
  let client: mongoose.mongo.MongoClient;

  beforeAll(async () => {
    app = await startConformanceApp(database.uri);
    client = await mongoose.mongo.MongoClient.connect(database.uri);
  });
  afterAll(async () => {
    await client.close();
    await app.close();
  });

  it('sees every invariant hold on this server, each of them exercised', async () => {
    app.memberships.set('of shop', 'team', 'write');
    app.memberships.set('of shop', 'catalog', 'read');
    const history = await runWorkload({
      urls: [app.url],
      token: app.token('shop'),
      otherToken: app.token('other shop'),
      collections: APP_COLLECTIONS,
      appWrite: APP_WRITE,
      membership: app.membership('club', { main: 'of shop', other: 'of other shop' }),
      seed: 7,
      seconds: 5,
    });
    const verdict = judge(history);
    expect(renderVerdict(verdict)).toContain('Every invariant held.');
    expect(verdict.findings.filter(({ checks }) => checks === 0)).toEqual([]);
    expect(kindsOf(history)).toEqual(
      new Set([
        ...['http', 'socket', 'upsert', 'patch', 'counts', 'adds', 'removes', 'delete', 'group'],
        ...['parent', 'shows the document', 'digest', 'by seq', 'in team', 'in catalog', 'in club', 'lost'],
        ...['refused over the socket', 'access none', 'access write'],
      ]),
    );

    const subscriptions = history.events.filter(
      (event) => event.kind === 'stream' && event.what.is === 'subscribed',
    );
    expect(subscriptions.length).toBeGreaterThan(20);
    expect(
      outagesOf(history)
        .map(({ client: name }) => name)
        .sort(),
    ).toEqual(expect.arrayContaining(['w0', 'w1', 'w2', 'w3', 'w4', 'w5']));
  }, 120_000);

  it('sends the same with the same seed', async () => {
    const requests = async (scope: string, seed: number) => {
      const history = await runWorkload({
        urls: [app.url],
        token: app.token(scope),
        // With global ids the second tenant would find them taken.
        collections: APP_COLLECTIONS.slice(0, 1),
        seed,
        run: 'same',
        // However long that takes.
        ...{ maxPushes: 12, seconds: 100 },
        writers: 2,
        pullers: 1,
        listeners: 1,
        briefListeners: 1,
        stalledSockets: 0,
      });
      return ['w0', 'w1'].map((name) => requestsOf(history, name));
    };
    const first = await requests('seed a', 11);
    const second = await requests('seed b', 11);
    expect(first.map(({ length }) => length)).toEqual([12, 12]);
    expect(second).toEqual(first);
    const another = await requests('seed c', 12);
    expect(another[0]!.slice(0, 3)).not.toEqual(first[0]!.slice(0, 3));
  }, 120_000);

  describe('on the command line', () => {
    const run = async (...argv: string[]) => {
      const said = { code: -1, out: '', err: '' };
      said.code = await runCli(['conformance', ...argv], {
        out: (text) => (said.out += text),
        err: (text) => (said.err += text),
      });
      return said;
    };
    const collections = [
      ...['--collection', 'notes', '--data', '{"text":"{marker}"}'],
      ...['--patch', '{"count":"visits","list":"tags"}'],
    ];

    it('ends with 0 when every invariant held, deletes what it wrote, and shows no token', async () => {
      const token = app.token('cli');
      const file = join(tmpdir(), `${database.name}.json`);
      const { code, out, err } = await run(
        app.url,
        ...['--token', token, '--other-token', app.token('cli other')],
        ...collections,
        ...[
          '--app-write',
          'POST /app-notes {"text":"{marker}"}',
          '--seconds',
          '2',
          '--seed',
          '5',
          '--json',
          file,
        ],
      );
      const record = await readFile(file, 'utf8');
      await rm(file);
      expect(err).toContain('writing and reading');
      expect(out).toContain('Every invariant held.');
      expect(out).toContain('Seed: 5');
      expect(code).toBe(0);
      const live = await client
        .db()
        .collection('notes')
        .countDocuments({ _sync_scope_id: { $in: ['cli', 'cli other'] }, _sync_deleted: false });
      expect(live).toBe(0);
      expect(JSON.parse(record)).toMatchObject({ seed: 5, verdict: { held: true } });
      for (const text of [out, err, record]) expect(text).not.toContain(token.split('.')[2]!);
    }, 120_000);

    it('ends with 1 when one was violated, and says which and how to see it again', async () => {
      const lax = await startConformanceApp(database.uri, { maxDriftMs: 20 * 365 * 24 * 3600 * 1000 });
      try {
        const { code, out } = await run(
          lax.url,
          ...['--token', lax.token('lax'), '--seconds', '3', '--seed', '5'],
          ...collections,
        );
        expect(out).toMatch(/8 Bounded clock +VIOLATED/);
        expect(out).toContain('SYNC_TOKEN=… npx nest-offline-sync conformance');
        expect(out).toContain('--seed 5');
        expect(code).toBe(1);
      } finally {
        await lax.close();
      }
    }, 120_000);

    it.each<[string, () => string[], RegExp]>([
      ['no token', () => [app.url, ...collections], /SYNC_TOKEN/],
      ['no collection', () => [app.url, '--token', 'x'], /--collection/],
      [
        'a token that is refused',
        () => [app.url, '--token', 'secret-word', ...collections],
        /401 unauthenticated/,
      ],
      [
        'a server that is not there',
        () => ['http://127.0.0.1:9', '--token', 'secret-word', ...collections],
        /No answer/,
      ],
      [
        'another prefix',
        () => [app.url, '--token', app.token('cli'), '--prefix', 'api/sync', ...collections],
        /404/,
      ],
      ['data without a marker', () => [app.url, '--token', 'x', '--data', '{}'], /\{marker\}/],
      [
        'a collection that is not synced',
        () => [app.url, '--token', app.token('cli'), '--collection', 'nothing'],
        /unknown_collection/,
      ],
    ])('ends with 2 and what to do: %s', async (_, argv, message) => {
      const { code, out, err } = await run(...argv());
      expect(err).toMatch(message);
      expect(out + err).not.toContain('secret-word');
      expect(code).toBe(2);
    });

    it('does not write into a scope with data of others, unless forced to', async () => {
      const token = app.token('in use');
      const push = await fetch(`${app.url}/sync/push`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          client_id: 'phone',
          changes: [
            { collection: 'tasks', operation: 'upsert', doc_id: 'milk', data: { title: 'buy milk' } },
          ],
        }),
      });
      expect(push.status).toBe(200);
      const refused = await run(app.url, '--token', token, '--seconds', '1', ...collections);
      expect(refused.err).toMatch(/--force/);
      expect(refused.code).toBe(2);
      const written = { _sync_scope_id: 'in use' };
      expect(await client.db().collection('notes').countDocuments(written)).toBe(0);

      const forced = await run(app.url, '--token', token, '--seconds', '1', '--force', ...collections);
      expect(forced.code).toBe(0);
      expect(await client.db().collection('notes').countDocuments(written)).toBeGreaterThan(0);
      const milk = await client.db().collection<{ _id: string }>('tasks').findOne({ _id: 'milk' });
      expect(milk).toMatchObject({ title: 'buy milk', _sync_deleted: false });
    }, 120_000);
  });
});

/** What a writer asked for, each request once, without what it learnt from answers and clocks. */
function requestsOf({ events }: History, client: string): string[] {
  const pushes = events.filter(
    (event): event is PushEvent => event.kind === 'push' && event.client === client,
  );
  const texts = pushes
    .sort((a, b) => a.id - b.id)
    .map(({ atomic, changes }) =>
      JSON.stringify([
        atomic,
        ...changes.map(({ collection, docId, operation, mutation, marker, flaw, patch, group }) => [
          ...[collection, docId, operation, mutation, marker, flaw, patch, group],
        ]),
      ]),
    );
  return [...new Set(texts)];
}

/** What of the wire's newer parts a run has used. */
function kindsOf({ events }: History): Set<string> {
  return new Set(
    events.flatMap((event): string[] => {
      const scope = 'scope' in event && event.scope !== undefined ? [`in ${event.scope}`] : [];
      if (event.kind === 'access') return [`access ${event.level}`];
      if (event.kind === 'digest') return ['digest', ...scope];
      if (event.kind === 'pull' && event.bySeq) return ['by seq', ...scope];
      if (event.kind === 'stream' && event.what.is === 'lost') return ['lost'];
      if (event.kind === 'probe' && event.probe === 'socket-push') return ['refused over the socket'];
      if (event.kind !== 'push') return scope;
      return [
        event.via ?? 'http',
        ...scope,
        ...event.changes.flatMap(({ operation, patch, group, parentMutation, returns }) => [
          operation,
          ...(patch && patch.inc > 0 ? ['counts'] : []),
          ...(patch && patch.add.length > 0 ? ['adds'] : []),
          ...(patch && patch.remove.length > 0 ? ['removes'] : []),
          ...(group === undefined ? [] : ['group']),
          ...(parentMutation === undefined ? [] : ['parent']),
          ...(returns ? ['shows the document'] : []),
        ]),
      ];
    }),
  );
}
