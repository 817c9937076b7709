import { of } from 'rxjs';
import { SyncError, type SyncOptions } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type Device, type HttpApp } from '../../support/http-app';
import { eventually, StreamClient } from '../../support/stream-client';

type Answer = (schema: string | undefined, scopeId: string) => unknown;

describe('the option clientSchema', () => {
  let app: HttpApp;
  let answer: Answer;
  const asked: (string | undefined)[] = [];

  beforeAll(async () => {
    const clientSchema: SyncOptions['clientSchema'] = (schema, { scopeId }) => {
      asked.push(schema);
      return answer(schema, scopeId) as true;
    };
    app = await startHttpApp(testDatabase(__filename).uri, {
      stream: true,
      options: {
        clientSchema,
        retryDeadlineMs: 200,
        collections: [
          { name: 'notes', freeForm: true, ids: 'scoped' },
          { name: 'mine', freeForm: true, ids: 'scoped', authorizer: ({ actorId }) => actorId === 'owner' },
        ],
      },
    });
  });
  afterAll(() => app.close());

  /** The first answer to a message. */
  async function told({ token }: Device, message: object): Promise<unknown> {
    const client = await StreamClient.open(`${app.url.replace('http', 'ws')}/sync/stream?token=${token}`);
    client.say(message);
    await eventually('an answer', () => client.messages.some(({ type }) => type !== 'ping'));
    client.socket.terminate();
    return client.messages.find(({ type }) => type !== 'ping');
  }
  beforeEach(() => asked.splice(0));

  it('is asked with what the client sent, or that it sent nothing', async () => {
    answer = () => true;
    const device = app.as('a');
    expect((await device.tryPush([upsert('notes', 'n', {})], { client_schema: 7 })).status).toBe(200);
    await device.send('/sync/pull?client_schema=7');
    await device.send('/sync/full');
    await app.sync.pull({ scopeId: 'a', actorId: 'x' }, { client_schema: '2.0' });
    expect(asked).toEqual(['7', '7', undefined, '2.0']);
  });

  it.each<[string, unknown]>([
    ['at once', { minimum: '3.1', message: 'Please update.' }],
    ['by a promise', Promise.resolve({ minimum: '3.1', message: 'Please update.' })],
    ['by an Observable', of({ minimum: '3.1', message: 'Please update.' })],
  ])('refuses with the words of the app, said %s, and writes nothing', async (_how, said) => {
    answer = () => said;
    const device = app.as('refused');
    const refusal = await device.tryPush([upsert('notes', 'n', {}, { mutation_id: 'm' })]);
    expect([refusal.status, refusal.body]).toEqual([
      409,
      {
        statusCode: 409,
        code: 'client_outdated',
        message: 'Please update.',
        path: 'client_schema',
        minimum: '3.1',
      },
    ]);
    answer = () => true;
    expect(await device.pull()).toMatchObject({ seq: 0, changes: [] });
    answer = () => said;
  });

  it.each<[string, (device: Device) => Promise<unknown>]>([
    ['push', async (device) => (await device.tryPush([upsert('notes', 'n', {})])).body],
    ['pull', async (device) => (await device.send('/sync/pull')).body],
    ['full', async (device) => (await device.send('/sync/full')).body],
    ['documents', async (device) => (await device.send('/sync/documents?collection=notes&ids=n')).body],
    ['digest', async (device) => (await device.send('/sync/digest')).body],
    ['info', async (device) => (await device.send('/sync/info')).body],
    ['subscribe', (device) => told(device, { type: 'subscribe', scope: 'doors' })],
    [
      'push over the socket',
      (device) => told(device, { type: 'push', id: 1, client_id: 'c', changes: [{}] }),
    ],
  ])('is refused at every door: %s', async (_door, ask) => {
    answer = (schema) => schema !== undefined || { minimum: 2 };
    expect(await ask(app.as('doors'))).toMatchObject({ code: 'client_outdated', minimum: 2 });
  });

  it('says the minimum itself where the app has no words', async () => {
    answer = () => ({ minimum: 3 });
    const { body } = await app.as('a').send('/sync/info');
    expect(body).toMatchObject({
      code: 'client_outdated',
      minimum: 3,
      message: expect.stringContaining('3 or newer') as unknown,
    });
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['false', false],
    ['1', 1],
    ['a text', 'yes'],
    ['an empty object', {}],
    ['an empty minimum', { minimum: '' }],
    ['a fraction', { minimum: 1.5 }],
    ['an empty message', { minimum: 1, message: '' }],
    ['a message that is no text', { minimum: 1, message: 5 }],
    ['a list', [true]],
  ])('takes %s neither for a yes nor for a refusal', async (_what, said) => {
    answer = () => said;
    const { status, body } = await app.as('a').send('/sync/pull');
    expect([status, (body as { code: string }).code]).toEqual([500, 'configuration']);
    expect(app.logs.filter((line) => line.includes('option clientSchema gave'))).not.toHaveLength(0);
  });

  it('that does not answer in time is unavailable, and its own refusals keep their code', async () => {
    answer = () => new Promise(() => undefined);
    expect(await app.as('a').send('/sync/pull')).toMatchObject({
      status: 503,
      body: { code: 'unavailable' },
    });
    answer = () => {
      throw new SyncError('busy', 'Not now.');
    };
    expect(await app.as('a').send('/sync/pull')).toMatchObject({ status: 503, body: { code: 'busy' } });
  });

  it('leaves GET info to name only what the identity may read', async () => {
    answer = () => true;
    const names = async (actor: string): Promise<string[]> => {
      const { body } = await app.as('a', actor).send('/sync/info');
      return (body as { collections: { name: string }[] }).collections.map(({ name }) => name);
    };
    expect(await names('owner')).toEqual(['notes', 'mine']);
    expect(await names('other')).toEqual(['notes']);
  });
});
