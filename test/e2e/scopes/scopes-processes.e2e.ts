import type { AccessLevel, LogChange, PushResponse, ScopesPort, SyncIdentity } from 'nest-offline-sync';
import { SyncService } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { startStreamApp, type StreamApp } from '../../support/stream-app';
import { eventually, upTo, type Received, type StreamClient } from '../../support/stream-client';

const PROCESSES = 4;
const TEAMS = ['team-1', 'team-2', 'team-3'];
const PUSHES = 5;
const HOUR_MS = 3_600_000;

/** The app's table of members, which all its processes read. Those who write may always do so. */
class Members implements ScopesPort {
  readonly out = new Set<string>();

  list(): string[] {
    return TEAMS;
  }

  access({ actorId }: SyncIdentity, scope: string): AccessLevel {
    return TEAMS.includes(scope) && !this.out.has(`${actorId} ${scope}`) ? 'write' : 'none';
  }
}

/** A device that follows all teams on one socket, and comes back to each with what it had. */
class Follower {
  /** What it has of each team: by seq. */
  readonly entries = new Map(TEAMS.map((team) => [team, [] as LogChange[]]));
  /** Entries of a team that came after it was lost. */
  readonly late: Received[] = [];
  readonly lost = new Set<string>();
  private read = 0;
  private scope = '';

  constructor(
    readonly actor: string,
    readonly at: number,
    readonly client: StreamClient,
  ) {}

  subscribe(team: string): void {
    this.client.say({
      type: 'subscribe',
      scope: team,
      since: this.entries.get(team)?.at(-1)?.version,
      ack: true,
    });
  }

  /** Goes through what has come since the last time. */
  catchUp(): void {
    const { messages } = this.client;
    for (; this.read < messages.length; this.read++) {
      const message = messages[this.read] ?? {};
      const team = String(message['scope']);
      if (message.type === 'scope') this.scope = team;
      if (message.type === 'scope_lost') this.lost.add(team);
      if (message.type === 'subscribed') this.lost.delete(team);
      if (message.type !== undefined) continue;
      if (this.lost.has(this.scope)) this.late.push(message);
      this.entries.get(this.scope)?.push(message as unknown as LogChange);
    }
  }

  seqs(team: string): number[] {
    return (this.entries.get(team) ?? []).map(({ seq }) => seq);
  }

  /** The documents of a team, as the entries tell them. */
  folded(team: string): Record<string, unknown> {
    const documents = (this.entries.get(team) ?? []).map(
      ({ doc_id, data }) => [String(doc_id), data] as const,
    );
    return Object.fromEntries(documents);
  }
}

describe('four processes of one deployment', () => {
  const { uri } = testDatabase(__filename);
  const members = new Members();
  const apps: StreamApp[] = [];
  const followers: Follower[] = [];

  beforeAll(async () => {
    for (let at = 0; at < PROCESSES; at++)
      apps.push(
        await startStreamApp({
          uri,
          options: {
            collections: [{ name: 'cards', freeForm: true, ids: 'scoped', conflict: 'merge' }],
            scopes: members,
            // Nothing but the event says that a scope is lost.
            scopeCheckIntervalMs: HOUR_MS,
            retryDeadlineMs: 60_000,
          },
        }),
      );
  });
  afterAll(async () => {
    for (const app of apps) app.hangUp();
    for (const app of apps) await app.app.close();
  });

  const tokenOf = (actor: string): string => apps[0]!.token({ business_id: `own-${actor}`, user_id: actor });
  const socket = (at: number, actor: string): Promise<StreamClient> =>
    apps[at]!.connect(`/sync/stream?token=${tokenOf(actor)}`);

  async function follow(at: number, actor: string): Promise<void> {
    const follower = new Follower(actor, at, await socket(at, actor));
    for (const team of TEAMS) follower.subscribe(team);
    await follower.client.until('subscribed', TEAMS.length);
    followers.push(follower);
  }

  async function overHttp(
    at: number,
    actor: string,
    path: string,
    body?: object,
  ): Promise<[number, unknown]> {
    const response = await fetch(`${apps[at]!.url.replace('ws:', 'http:').replace('/stream', '')}${path}`, {
      headers: { authorization: `Bearer ${tokenOf(actor)}`, 'content-type': 'application/json' },
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    });
    return [response.status, await response.json()];
  }

  /** A group that counts and makes a document, and one that makes a document and falls. */
  function changesOf(writer: string, n: number): object[] {
    const change = (doc_id: string, mutation: string, more: object): object => ({
      ...{ collection: 'cards', operation: 'upsert', doc_id, mutation_id: `${mutation} ${String(n)}` },
      ...more,
    });
    const id = `${writer} ${String(n)}`;
    return [
      change('counter', 'count', {
        ...{ operation: 'patch', group: 'stands', inc: { n: 1 }, add: { writers: [writer] } },
      }),
      change(id, 'make', { group: 'stands', data: { n } }),
      change(`fallen ${id}`, 'fall', { group: 'falls', data: { n } }),
      change('counter', 'bad', { operation: 'patch', group: 'falls', inc: { writers: 1 } }),
    ];
  }
  const ANSWERS = [
    ['accepted', null],
    ['accepted', null],
    ['rejected', 'batch_rolled_back'],
    ['rejected', 'patch_mismatch'],
  ];

  /** The writer's pushes into all teams, each sent twice, through one process. */
  async function write(writer: string, send: (body: object, id: string) => Promise<unknown>): Promise<void> {
    for (const n of upTo(PUSHES))
      for (const scope of TEAMS)
        for (const time of ['first', 'again']) {
          const body = { client_id: writer, scope, changes: changesOf(writer, n) };
          const { results } = (await send(body, `${scope} ${String(n)} ${time}`)) as PushResponse;
          expect(results.map(({ status, code }) => [status, code])).toEqual(ANSWERS);
        }
  }
  async function writeOverHttp(at: number): Promise<void> {
    const writer = `http-${String(at)}`;
    await write(writer, async (body) => (await overHttp(at, writer, '/push', body))[1]);
  }
  async function writeOverSocket(at: number): Promise<void> {
    const writer = `socket-${String(at)}`;
    const client = await socket(at, writer);
    const answer = (id: string): Received | undefined =>
      client.ofType('pushed').find((each) => each['id'] === id);
    await write(writer, async (body, id) => {
      client.say({ ...body, type: 'push', id });
      await eventually(
        `an answer to ${id}; ${JSON.stringify(client.ofType('push_failed'))}`,
        () => !!answer(id),
      );
      return answer(id);
    });
  }

  /** Somebody is put out of a team by one process, hears of it in another one, and comes back later. */
  async function putOut(round: number): Promise<void> {
    const follower = followers[round % followers.length]!;
    const team = TEAMS[round % TEAMS.length]!;
    const by = apps[(follower.at + 1 + (round % (PROCESSES - 1))) % PROCESSES]!;
    const before = follower.client.ofType('scope_lost').length;
    members.out.add(`${follower.actor} ${team}`);
    await by.app.get(SyncService).accessChanged(follower.actor);
    expect(await follower.client.until('scope_lost', before + 1)).toEqual({
      type: 'scope_lost',
      scope: team,
    });
    for (const at of apps.keys()) {
      const pushed = overHttp(at, follower.actor, '/push', {
        ...{ client_id: 'x', scope: team, changes: changesOf('nobody', round) },
      });
      for (const [status, body] of [await pushed, await overHttp(at, follower.actor, `/pull?scope=${team}`)])
        expect([status, body]).toEqual([403, expect.objectContaining({ code: 'scope_forbidden' })]);
    }
    // What the others wrote meanwhile comes when it is back, and not before.
    const head = followers.find(({ actor }) => actor !== follower.actor)!;
    const seen = head.seqs(team).length;
    await eventually('more of the team', () => {
      head.catchUp();
      return writers === 0 || head.seqs(team).length > seen;
    });
    follower.catchUp();
    expect(follower.lost).toEqual(new Set([team]));
    members.out.delete(`${follower.actor} ${team}`);
    const subscribed = follower.client.ofType('subscribed').length;
    follower.subscribe(team);
    await follower.client.until('subscribed', subscribed + 1);
  }
  /** Those that are still at it. */
  let writers = 0;

  it('end a lost scope by event, take patches and groups at each door, and all who follow converge', async () => {
    for (const at of apps.keys())
      for (const n of [1, 2]) await follow(at, `follower-${String(at)}-${String(n)}`);
    for (const scope of TEAMS) {
      const data = { n: 0, writers: [] };
      const changes = [{ collection: 'cards', operation: 'upsert', doc_id: 'counter', data }];
      await overHttp(0, 'http-0', '/push', { client_id: 'x', scope, changes });
    }
    const writing = apps.flatMap((_, at) => [() => writeOverHttp(at), () => writeOverSocket(at)]);
    writers = writing.length;
    const work = Promise.all(
      writing.map(async (begin) => {
        await begin().finally(() => (writers -= 1));
      }),
    );
    for (let round = 0; writers > 0 || round < 2 * followers.length; round++) await putOut(round);
    await work;

    for (const follower of followers) follower.catchUp();
    for (const { late, client } of followers) {
      expect(late).toEqual([]);
      expect(client.closeCode).toBeUndefined();
    }
    const doors = writing.length;
    for (const team of TEAMS) {
      const [, digest] = await overHttp(0, 'http-0', `/digest?scope=${team}`);
      const { seq } = digest as { seq: number };
      expect(seq).toBe(1 + 2 * doors * PUSHES);
      for (const follower of followers) {
        await eventually(`${team} at ${follower.actor}`, () => {
          follower.catchUp();
          return follower.seqs(team).at(-1) === seq;
        });
        expect(follower.seqs(team)).toEqual(upTo(seq));
        expect(follower.folded(team)).toEqual(followers[0]!.folded(team));
      }
      const { counter, ...made } = followers[0]!.folded(team);
      expect(counter).toMatchObject({ n: doors * PUSHES });
      expect((counter as { writers: string[] }).writers).toHaveLength(doors);
      expect(Object.keys(made)).toHaveLength(doors * PUSHES);
      expect(Object.keys(made).filter((id) => id.startsWith('fallen'))).toEqual([]);
      for (const at of apps.keys())
        expect(await overHttp(at, 'http-0', `/digest?scope=${team}`)).toEqual([200, digest]);
    }
  });
});
