import { Schema } from 'mongoose';
import { testDatabase } from './database';
import { databaseHash, startHttpApp, upsert, type Device, type HttpApp } from './http-app';

/** Stands in bad values: it must not be found in a log. */
export const MARK = 'p4ssw0rd';
export const OBJECT_ID = '65f000000000000000000001';
export const YEAR_2999 = '29990101T000000.000Z-0000-x';

export interface BadInput {
  readonly app: HttpApp;
  /** Of scope `a`. */
  readonly device: Device;
  /** Of scope `b`, which has more entries than `a`. */
  readonly other: Device;
}

/**
 * An app with data of two scopes, in which each test must leave everything as it was, and nothing of what it sent in
 * the log. Call it once at the top of a describe.
 */
export function useUnharmedApp(fileName: string): () => BadInput {
  let input: BadInput | undefined;
  let before: string;
  const given = (): BadInput => {
    if (!input) throw new Error('beforeAll has not run');
    return input;
  };
  beforeAll(async () => {
    const title = { type: String, required: true };
    const schema = new Schema({ title, count: Number }, { versionKey: false });
    const app = await startHttpApp(testDatabase(fileName).uri, {
      models: [{ name: 'Task', schema }],
      options: { collections: ['tasks', { name: 'notes', freeForm: true, ids: 'scoped' }] },
    });
    input = { app, device: app.as('a'), other: app.as('b', 'bob') };
    await input.device.push([
      upsert('notes', 'kept', { n: 1 }),
      upsert('tasks', OBJECT_ID, { title: 'kept' }),
    ]);
    await input.other.push(['k', 'l', 'm'].map((id) => upsert('notes', id, { n: 1 })));
  });
  beforeEach(async () => {
    before = await databaseHash(given().app.db);
  });
  afterEach(async () => {
    const { app } = given();
    expect(await databaseHash(app.db)).toBe(before);
    expect(app.logs.join('\n')).not.toContain(MARK);
  });
  afterAll(() => input?.app.close());
  return given;
}
