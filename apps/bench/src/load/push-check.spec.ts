import type { Exchange } from './connection';
import { checkPushes } from './push-check';
import { devicePlans, pushRequests } from './push-plan';

const plans = devicePlans(1, 'spec', { clients: 1, batch: 2, scopes: 'own' }, 2);
const [pushes = []] = plans.map((plan) => plan.pushes);

function answer(results: readonly object[], status = 200): Exchange {
  const request = { method: 'POST', path: '', headers: {} } as const;
  const body = [Buffer.from(JSON.stringify({ results }))];
  return { request, status, headers: {}, body, sentAt: 0, firstByteMs: 0, ms: 0 };
}

const accepted = (push: number, versions: readonly string[]): Exchange =>
  answer(
    (pushes[push] ?? []).map(({ doc_id }, index) => ({
      doc_id,
      status: 'accepted',
      new_version: versions[index],
    })),
  );

describe('checkPushes', () => {
  it('counts what was accepted, and requests that were not', () => {
    const exchanges = [accepted(0, ['1', '2']), answer([], 500)];
    expect(checkPushes(plans, [exchanges])).toEqual({ accepted: 2, failures: 1, errors: 1 });
  });

  it('accepts no versions that repeat or go back', () => {
    expect(() => checkPushes(plans, [[accepted(0, ['1', '1'])]])).toThrow(/do not rise/);
    expect(() => checkPushes(plans, [[accepted(0, ['3', '4']), accepted(1, ['1', '2'])]])).toThrow(
      /do not rise/,
    );
  });

  it('takes no answer for another document', () => {
    const wrong = answer([{ doc_id: 'other', status: 'accepted', new_version: '1' }]);
    expect(() => checkPushes(plans, [[wrong]])).toThrow(/another document/);
  });
});

describe('devicePlans', () => {
  it('gives the same inputs for the same seed, and no id twice', () => {
    const again = devicePlans(1, 'spec', { clients: 1, batch: 2, scopes: 'own' }, 2);
    expect(pushRequests(again, () => '')).toEqual(pushRequests(plans, () => ''));
    const ids = devicePlans(1, 'spec', { clients: 3, batch: 5, scopes: 'one' }, 4).flatMap((plan) =>
      plan.pushes.flatMap((changes) => changes.map(({ doc_id }) => doc_id)),
    );
    expect(new Set(ids).size).toBe(60);
  });
});
