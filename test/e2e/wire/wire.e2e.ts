import { writeFileSync } from 'node:fs';
import { Schema } from 'mongoose';
import { SyncModule } from 'nest-offline-sync';
import { MongooseModule } from '@nestjs/mongoose';
import { testDatabase } from '../../support/database';
import { inSeconds, testToken } from '../../support/jwt';
import { StreamClient, eventually, type Received } from '../../support/stream-client';
import { startApp, TEST_SECRET, type RunningApp } from '../../support/sync-app';
import { Names, scenarios, type HttpStep, type Scenario } from '../../support/wire-scenario';

/** `WIRE_RECORD=1` writes what the server says into the files, for a look at the difference. */
const RECORDS = process.env['WIRE_RECORD'] === '1';

let app: RunningApp;
beforeAll(async () => {
  app = await startApp({
    imports: [
      MongooseModule.forRoot(testDatabase(__filename).uri),
      MongooseModule.forFeature([
        {
          name: 'Task',
          schema: new Schema({ _id: String, title: { type: String, required: true }, done: Boolean }),
        },
      ]),
      // As test/fixtures/wire/README.md says it.
      SyncModule.forRoot({
        jwt: { secret: TEST_SECRET },
        scopeIdField: 'business_id',
        scopes: {
          list: ({ scopeId }) => (scopeId === 'several-scopes' ? ['team', 'catalog'] : []),
          access: ({ scopeId }, scope) => {
            if (scopeId !== 'several-scopes') return 'none';
            return scope === 'team' ? 'write' : scope === 'catalog' ? 'read' : 'none';
          },
        },
        collections: [
          { name: 'tasks', ids: 'scoped' },
          { name: 'notes', freeForm: true, ids: 'scoped' },
          { name: 'profiles', freeForm: true, ids: 'scoped', conflict: 'merge' },
          {
            name: 'orders',
            freeForm: true,
            ids: 'scoped',
            conflict: 'reject-stale',
            deleteUpdatePolicy: 'reject_update',
          },
          { name: 'archive', freeForm: true, ids: 'scoped', allowFullResync: false },
          { name: 'vault', freeForm: true, ids: 'scoped', authorizer: () => false },
        ],
        limits: { maxChanges: 5, maxDocumentBytes: 200, maxPushBytes: 4000 },
        maxPullLimit: 50,
        maxFullLimit: 50,
        pingIntervalMs: 1000,
        clientSchema: (schema) => (schema === '1' ? { minimum: 2, message: 'Update the app.' } : true),
        trimIntervalMs: 0,
        metricsEnabled: false,
      }),
    ],
  });
});
afterAll(() => app.close());

const files = scenarios();

describe('the scenarios of test/fixtures/wire', () => {
  it.each(files)('$name', async ({ name, path, scenario }) => {
    const seen: Scenario = structuredClone(scenario);
    const names = new Names(scenario);
    const sockets: StreamClient[] = [];
    try {
      await new Play(name, names, sockets).run(seen);
    } finally {
      for (const { socket } of sockets) socket.terminate();
    }
    if (RECORDS) return writeFileSync(path, `${JSON.stringify(seen, null, 2)}\n`);
    return expect(seen).toEqual(scenario);
  });

  it('show every route', () => {
    const sent = files.flatMap(({ scenario }) =>
      scenario.steps.flatMap((step) => ('send' in step ? [step.send] : [])),
    );
    expect([...new Set(sent)].sort()).toEqual(
      expect.arrayContaining([
        'GET /sync/digest',
        'GET /sync/documents',
        'GET /sync/full',
        'GET /sync/info',
        'GET /sync/pull',
        'GET /sync/scopes',
        'POST /sync/push',
      ]),
    );
  });
});

/** Plays a scenario against the app, and writes into its steps what came back, by its names. */
class Play {
  private socket: StreamClient | undefined;
  private heard = 0;
  private readonly token: string;

  constructor(
    scope: string,
    private readonly names: Names,
    private readonly sockets: StreamClient[],
  ) {
    const payload = { user_id: 'ann', business_id: scope, exp: inSeconds(600) };
    this.token = testToken({ payload, key: TEST_SECRET });
  }

  async run({ steps }: Scenario): Promise<void> {
    for (const step of steps) {
      if ('send' in step) await this.request(step);
      else if ('socket' in step) await this.open(step.socket);
      else if ('say' in step) this.client.say(this.names.fill(step.say) as object);
      else if ('hear' in step) step.hear = this.names.name(await this.hear(step.hear));
      else step.closed = await this.client.untilClosed();
    }
  }

  private async request(step: HttpStep): Promise<void> {
    const [method = '', path = ''] = step.send.split(' ');
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(this.names.fill(step.query) ?? {}))
      query.set(key, String(value));
    const body =
      step.text ?? (step.body === undefined ? undefined : JSON.stringify(this.names.fill(step.body)));
    const response = await fetch(`${app.url}${path}?${String(query)}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    step.status = response.status;
    const headers = [...response.headers].filter(([key]) => /^(x-sync-|retry-after$)/.test(key));
    // Before the body: a cursor is named where it is seen first.
    if (headers.length > 0)
      step.headers = this.names.name(Object.fromEntries(headers)) as Record<string, string>;
    if (response.headers.get('content-type')?.includes('ndjson'))
      step.lines = text
        .trimEnd()
        .split('\n')
        .map((line) => this.names.name(JSON.parse(line)));
    else step.answer = this.names.name(JSON.parse(text));
  }

  private async open(path: string): Promise<void> {
    this.socket = await StreamClient.open(`${app.url.replace('http', 'ws')}${path}?token=${this.token}`);
    this.heard = 0;
    this.sockets.push(this.socket);
  }

  /** The next message; pings only count where one is expected. */
  private async hear(expected: unknown): Promise<Received | undefined> {
    const wantsPing = (expected as Received | null)?.type === 'ping';
    const { messages } = this.client;
    const next = (): number =>
      messages.findIndex(({ type }, index) => index >= this.heard && (type === 'ping') === wantsPing);
    await eventually('a message', () => next() >= 0);
    const at = next();
    this.heard = at + 1;
    return messages[at];
  }

  private get client(): StreamClient {
    if (!this.socket) throw new Error('A scenario opens its socket first: {"socket":"/sync/stream"}');
    return this.socket;
  }
}
