import { doubled, following, itemsIn, settled, startCapturing } from '../../support/captured-items';
import { foreignWrites } from '../../support/foreign-writes';
import { ReplicaTrio } from '../../support/replica-trio';
import type { WritesApp } from '../../support/writes-app';

describe('capture on three members', () => {
  let trio: ReplicaTrio;
  let app: WritesApp;
  beforeAll(async () => {
    trio = await ReplicaTrio.start();
    app = await startCapturing(trio.uri('captured'));
  }, 120_000);
  afterAll(async () => {
    await app.close();
    await trio.stop();
  }, 120_000);

  it('records what other code writes, once, also when the primary dies', async () => {
    await following(app);
    const made = await foreignWrites(app, async (round) => {
      if (round === 20) await trio.killPrimary();
    });
    await settled(app, 'north');
    const entries = await itemsIn(app, 'north');
    expect(doubled(entries)).toEqual([]);
    expect(new Set(entries.map(({ doc_id }) => doc_id)).size).toBeGreaterThan(made / 2);
  }, 120_000);
});
