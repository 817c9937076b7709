import { Random } from '../../../libs/conformance/src/workload/random';
import { ScopeWatches } from '../../../libs/sync/src/stream/scope-watches';
import { SyncService } from 'nest-offline-sync';
import { MembershipHistory, type Moment } from './membership-history';
import { testDatabase } from '../../support/database';
import { runs } from '../../support/runs';
import { startStreamApp, type StreamApp } from '../../support/stream-app';
import { eventually, type Received } from '../../support/stream-client';

/** `SYNC_FUZZ_SEED=7 npx jest -c jest.check.config.js isolation/memberships` for the same again; FC_RUNS for more. */
const SEED = Number(process.env['SYNC_FUZZ_SEED'] ?? Date.now() % 100_000);
const STEPS = runs(1_500).numRuns;
const ACTORS = ['ann', 'bob', 'cy', 'dee'];
const SCOPES = ['red', 'green', 'blue', 'grey'];
const AT_ONCE = 6;

/** What a client has heard on its socket of one scope since it last subscribed to it. */
interface Heard {
  readonly since: Moment;
  lastSeq: number | undefined;
  lost: boolean;
}

const { uri } = testDatabase(__filename);
const history = new MembershipHistory();
const random = new Random(SEED);
/** When the push began that wrote a document, by its id. */
const begun = new Map<string, Moment>();
/** When a process has heard that an actor's access has changed, by process and actor. */
const heardOfChange = new Map<string, Moment[]>();
const wrong: string[] = [];
const seen = { answers: 0, refusals: 0, entries: 0, lost: 0, documents: 0 };
let apps: StreamApp[];
let documents = 0;

beforeAll(async () => {
  const start = (): Promise<StreamApp> =>
    startStreamApp({ uri, options: { scopes: history, scopeCheckIntervalMs: 2_000, pingIntervalMs: 1_000 } });
  apps = [await start(), await start()];
  for (const [process, { app }] of apps.entries()) {
    const watches = app.get(ScopeWatches);
    const offer = watches.offer.bind(watches);
    watches.offer = (notices) => {
      offer(notices);
      for (const { wire } of notices) note(process, (JSON.parse(wire.toString()) as { actor: string }).actor);
    };
  }
}, 60_000);
afterEach(() => apps.forEach((app) => app.hangUp()));
afterAll(async () => {
  for (const { app } of apps) await app.close();
});

function note(process: number, actor: string): void {
  const key = `${String(process)} ${actor}`;
  heardOfChange.set(key, [...(heardOfChange.get(key) ?? []), history.now()]);
}

function judge(holds: boolean, what: string): void {
  if (!holds) wrong.push(what);
}

/** Changes what an actor may do, and says so in one of the processes, or leaves that to the interval. */
async function changeMembership(): Promise<void> {
  const [actor, scope] = [random.pick(ACTORS), random.pick(SCOPES)];
  history.set(actor, scope, random.pick(['none', 'none', 'read', 'write'] as const));
  if (random.chance(0.2)) return;
  const process = random.between(0, 1);
  await apps[process]!.app.get(SyncService).accessChanged(actor);
  note(process, actor);
}

async function push(): Promise<void> {
  const [actor, scope] = [random.pick(ACTORS), random.pick([...SCOPES, 'nowhere'])];
  const ids = Array.from({ length: random.between(1, 3) }, () => `${scope}-${String(++documents)}`);
  const began = history.now();
  for (const id of ids) begun.set(id, began);
  const changes = ids.map((doc_id) => ({
    collection: 'tasks',
    operation: 'upsert',
    doc_id,
    data: { scope },
  }));
  await judged(actor, scope, 'write', began, 'push', async (headers, url) =>
    fetch(`${url}/sync/push`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ client_id: 'c', scope, changes }),
    }),
  );
}

async function read(path: 'pull' | 'full'): Promise<void> {
  const [actor, scope] = [random.pick(ACTORS), random.pick([...SCOPES, 'nowhere'])];
  const text = await judged(actor, scope, 'read', history.now(), path, (headers, url) =>
    fetch(`${url}/sync/${path}?scope=${scope}&limit=1000`, { headers }),
  );
  for (const [, id = '', of = ''] of (text ?? '').matchAll(/"doc_id":"([^"]+)".*?"scope":"(\w+)"/g)) {
    seen.documents += 1;
    judge(of === scope && id.startsWith(`${scope}-`), `${path} of ${scope} gave ${id} to ${actor}`);
  }
}

async function list(): Promise<void> {
  const actor = random.pick(ACTORS);
  const began = history.now();
  const { app, headers } = as(actor);
  const { scopes } = (await (await fetch(`${app}/sync/scopes`, { headers })).json()) as {
    scopes: { scope: string; access: 'read' | 'write'; own: boolean }[];
  };
  const ended = history.now();
  for (const { scope, access, own } of scopes)
    judge(
      own || history.couldEver(actor, scope, access, began, ended),
      `${actor} was listed ${access} of ${scope}`,
    );
}

/** Sends a request, and judges whether it was rightly answered or refused. @returns the answer's text */
async function judged(
  actor: string,
  scope: string,
  needed: 'read' | 'write',
  began: Moment,
  what: string,
  send: (headers: Record<string, string>, url: string) => Promise<Response>,
): Promise<string | undefined> {
  const { app, headers } = as(actor);
  const answer = await send(headers, app);
  const text = await answer.text();
  const ended = history.now();
  if (answer.status === 200) {
    seen.answers += 1;
    judge(history.couldEver(actor, scope, needed, began, ended), `${what}: ${actor} got into ${scope}`);
    return text;
  }
  seen.refusals += 1;
  const { code } = JSON.parse(text) as { code?: string };
  judge(code === 'scope_forbidden', `${what}: ${actor} in ${scope} got ${String(answer.status)} ${text}`);
  judge(
    history.couldEverNot(actor, scope, needed, began, ended),
    `${what}: ${actor} was kept out of ${scope}`,
  );
  return undefined;
}

function as(actor: string): { app: string; headers: Record<string, string> } {
  const app = random.pick(apps);
  return {
    app: app.url.replace('ws:', 'http:').replace('/sync/stream', ''),
    headers: { authorization: `Bearer ${app.token({ business_id: `own-${actor}`, user_id: actor })}` },
  };
}

/** A socket of an actor that listens to everything it can, and comes back to what it has lost. */
async function listen(process: number, actor: string): Promise<void> {
  const app = apps[process]!;
  const token = app.token({ business_id: `own-${actor}`, user_id: actor });
  const client = await app.connect(`/sync/stream?token=${token}`);
  const heard = new Map<string, Heard>();
  let said: string | undefined;
  const subscribe = (scope: string): void => {
    heard.set(scope, { since: history.now(), lastSeq: undefined, lost: false });
    client.say({ type: 'subscribe', scope, ack: true });
  };
  const entry = ({ seq, doc_id }: Received): void => {
    seen.entries += 1;
    const scope = String(said);
    const of = heard.get(scope);
    const id = String(doc_id);
    const name = `${actor} at ${String(process)} heard ${id} (${String(seq)})`;
    judge(of !== undefined && !of.lost, `${name} after it had lost ${scope}`);
    judge(id.startsWith(`${scope}-`), `${name} as of ${scope}`);
    if (!of) return;
    judge(of.lastSeq === undefined || seq === of.lastSeq + 1, `${name} behind ${String(of.lastSeq)}`);
    of.lastSeq = seq;
    const [from, to] = [begun.get(id) ?? 0, history.now()];
    if (history.couldEver(actor, scope, 'read', from, to)) return;
    // It was out before this was written: was that known here by then?
    const isKnown = (heardOfChange.get(`${String(process)} ${actor}`) ?? []).some(
      (at) => at < from && !history.couldEver(actor, scope, 'read', at, to),
    );
    judge(!isKnown, `${name}, which was written when it was out of ${scope}`);
  };
  client.socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as Received;
    const scope = String(message['scope']);
    if (message.type === 'scope') said = scope;
    if (message.type === undefined) entry(message);
    if (message.type === 'error')
      judge(message['code'] === 'scope_forbidden', `${actor} got ${JSON.stringify(message)}`);
    if (message.type !== 'scope_lost' && message.type !== 'error') return;
    const of = heard.get(scope);
    if (!of) return void wrong.push(`${actor} lost ${scope}, which it never had`);
    of.lost = true;
    seen.lost += 1;
    judge(
      history.couldEverNot(actor, scope, 'read', of.since, history.now()),
      `${actor} lost ${scope} without a reason`,
    );
    setImmediate(() => again(scope));
  });
  /** As soon as it may be in again: messages are few. */
  const again = (scope: string): void => {
    if (client.closeCode !== undefined || running === 0) return;
    if (history.access({ scopeId: '', actorId: actor }, scope) === 'none')
      return void setTimeout(() => again(scope), 50);
    subscribe(scope);
  };
  for (const scope of SCOPES) subscribe(scope);
}

/** Above 0 while the steps go on. */
let running = 1;

it(
  `gives nobody anything that could not be had at that moment, while memberships change (seed ${String(SEED)})`,
  async () => {
    for (const actor of ACTORS)
      for (const scope of SCOPES) history.set(actor, scope, random.chance(0.7) ? 'write' : 'none');
    for (const process of [0, 1]) for (const actor of ACTORS) await listen(process, actor);
    let left = STEPS;
    const work = async (): Promise<void> => {
      while (left-- > 0 && wrong.length === 0) {
        const dice = random.next();
        if (dice < 0.25) await changeMembership();
        else if (dice < 0.6) await push();
        else if (dice < 0.8) await read('pull');
        else if (dice < 0.95) await read('full');
        else await list();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    // Everybody in the end is where it may be: what one process says reaches the sockets of both.
    const before = seen.lost;
    for (const actor of ACTORS) for (const scope of SCOPES) history.set(actor, scope, 'none');
    running = 0;
    for (const actor of ACTORS) {
      await apps[0]!.app.get(SyncService).accessChanged(actor);
      note(0, actor);
    }
    const isEnded = (): boolean => apps.every(({ app }) => app.get(ScopeWatches).size === 0);
    await eventually('the end of every subscription', isEnded);
    expect(wrong).toEqual([]);
    expect(seen.lost).toBeGreaterThanOrEqual(before);
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(STEPS / 50);
    process.stdout.write(`isolation-memberships: seed ${String(SEED)}, ${JSON.stringify(seen)}\n`);
  },
  120_000 + STEPS * 200,
);
