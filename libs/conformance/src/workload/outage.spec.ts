import type { PushEvent, Tenant } from '../history';
import { outagesOf } from './outage';

let id = 0;
function push(client: string, at: number, status: number | null, tenant: Tenant = 'main'): PushEvent {
  return {
    kind: 'push',
    ...{ id: (id += 1), tenant, client, atomic: 'batch', sentAt: at - 1, answeredAt: at },
    answer: status === null ? null : { status, code: null },
    ...{ changes: [], results: null },
  };
}

describe('the longest outage of a writer', () => {
  it('lies between two answers with 200, whatever came between them', () => {
    const events = [push('w0', 10, 200), push('w0', 500, null), push('w0', 900, 503), push('w0', 1010, 200)];
    expect(outagesOf({ seed: 1, events })).toEqual([{ client: 'w0', ms: 1000, from: 10 }]);
  });

  it('counts to the last try where the answer never came', () => {
    const events = [push('w0', 10, 200), push('w0', 20, 200), push('w0', 5020, null)];
    expect(outagesOf({ seed: 1, events })).toEqual([{ client: 'w0', ms: 5000, from: 20 }]);
  });

  it('is reported for each writer of the tenant under test, the longest first', () => {
    const events = [
      ...[push('w0', 0, 200), push('w1', 0, 200), push('w0', 0, 200, 'other')],
      ...[push('w0', 100, 200), push('w1', 300, 200), push('w0', 9000, 200, 'other'), push('w2', 5, 200)],
    ];
    expect(outagesOf({ seed: 1, events }).map(({ client, ms }) => [client, ms])).toEqual([
      ['w1', 300],
      ['w0', 100],
    ]);
  });
});
