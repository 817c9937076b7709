import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type HttpApp } from '../../support/http-app';

describe('a document that merges have grown beyond what MongoDB takes', () => {
  let app: HttpApp;
  beforeAll(async () => {
    app = await startHttpApp(testDatabase(__filename).uri, {
      options: { collections: [{ name: 'docs', freeForm: true, conflict: 'merge' }] },
    });
  });
  afterAll(() => app.close());

  it('rejects the change that does it, and jams neither its client nor the others', async () => {
    const device = app.as('big');
    const { new_version: parent } = await device.one(upsert('docs', 'd', { start: 1 }));
    const codes: (string | null)[] = [];
    for (let n = 0; n < 18; n++) {
      const data = { start: 1, [`field${String(n)}`]: 'x'.repeat(1_000_000) };
      codes.push((await device.one({ ...upsert('docs', 'd', data), parent_version: parent })).code);
    }
    expect(codes.slice(0, 15)).toEqual(Array.from({ length: 15 }, () => null));
    expect(codes.slice(-1)).toEqual(['document_too_large']);
    expect((await device.one(upsert('docs', 'other', { n: 1 }))).status).toBe('accepted');
  });
});
