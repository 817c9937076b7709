import { BUDGETS } from './budget';
import { sizeOf } from './size';

/** How far a budget may be above the truth, so that it does not grow unseen. */
const SLACK = 300;

describe('the size of the client in an app', () => {
  it.each(BUDGETS)('$name: at most $bytes bytes, and not much less', async ({ imports, bytes }) => {
    const { packed } = await sizeOf(imports);
    expect(packed).toBeLessThanOrEqual(bytes);
    expect(packed).toBeGreaterThan(bytes - SLACK);
  });
});
