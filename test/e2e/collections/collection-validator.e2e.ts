import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type HttpApp } from '../../support/http-app';

const SECRET_TEXT = 'what nobody may read in an answer';

describe('a collection with validation rules in the database', () => {
  let app: HttpApp;
  beforeAll(async () => {
    app = await startHttpApp(testDatabase(__filename).uri, {
      options: { collections: [{ name: 'docs', freeForm: true, ids: 'scoped' }] },
    });
    await app.db.command({
      collMod: 'docs',
      validator: { $or: [{ _sync_deleted: true }, { n: { $lt: 10 } }] },
    });
  });
  afterAll(() => app.close());

  it('has the change that breaks them rejected, and takes the others of the push', async () => {
    const device = app.as('shop');
    const changes = [
      upsert('docs', 'a', { n: 1 }, { mutation_id: 'm1' }),
      upsert('docs', 'b', { n: 99, text: SECRET_TEXT }, { mutation_id: 'm2' }),
      upsert('docs', 'c', { n: 2 }, { mutation_id: 'm3' }),
    ];
    const results = await device.push(changes, { atomic: 'mutation' });
    expect(results.map(({ status, code }) => [status, code])).toEqual([
      ['accepted', null],
      ['rejected', 'validation_failed'],
      ['accepted', null],
    ]);
    expect(JSON.stringify(results)).not.toContain(SECRET_TEXT);
    expect(app.logs.join()).not.toContain(SECRET_TEXT);
    const pulled = await device.pull();
    expect(pulled.changes.map(({ doc_id }) => doc_id)).toEqual(['a', 'c']);
  });

  it('blocks no queue: concurrent pushes succeed or fail independently, and the fixed change is accepted', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        app.as(`s${String(n % 2)}`).one(upsert('docs', `d${String(n)}`, { n: n % 4 === 0 ? 50 : 5 })),
      ),
    );
    expect(answers.map(({ code }) => code)).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].map((n) => (n % 4 === 0 ? 'validation_failed' : null)),
    );
    expect((await app.as('s0').one(upsert('docs', 'd0', { n: 5 }))).status).toBe('accepted');
  });
});
