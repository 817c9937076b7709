import {
  change,
  entry,
  finalPull,
  full,
  history,
  probe,
  pull,
  push,
  row,
  stream,
  subscribed,
  taken,
} from '../../../../test/support/history-events';
import { versionOf } from '../../../../test/support/simulated-history';
import { judge } from '../oracle/judge';
import { renderVerdict } from './render-verdict';

const broken = {
  ...history(
    subscribed(0),
    push(1000, [change(1), change(2)], [taken(1), taken(2)]),
    pull(2000, 'p0', null, [entry(2)], entry(2)),
    stream(3000, { is: 'ping', lastSeq: versionOf(2) }),
    finalPull([entry(1), entry(2)], 9000),
  ),
  seed: 4711,
  command: 'nest-offline-sync conformance http://localhost:3000 --seed 4711',
};

describe('a verdict as text', () => {
  it('names what was violated by number, with the shortest history, the seed and the way to run it again', () => {
    const text = renderVerdict(judge(broken));
    expect(text).toMatch(/^ 3 Complete +VIOLATED 2× \(\d+ facts compared\)$/m);
    expect(text).toMatch(/^ 1 Atomic +held \(\d+ facts compared\)$/m);
    expect(text).toMatch(/^11 Same for the server +not exercised$/m);
    expect(text).toContain(
      `p0 (main), reading from the beginning, was never given ${versionOf(1)} (notes d1)`,
    );
    expect(text).toMatch(/2\.000s-2\.001s +main p0 pull from the beginning -> 200/);
    expect(text).toContain(`${versionOf(1)} seq 1 upsert notes d1 "main-1"`);
    expect(text).toContain(
      'Seed: 4711\nAgain: nest-offline-sync conformance http://localhost:3000 --seed 4711\n',
    );
  });

  it('shows a history in the order of time', () => {
    const text = renderVerdict(judge(broken));
    const times = [...text.slice(text.indexOf('Invariant 3')).matchAll(/^ {6}(\d+\.\d+)s/gm)].map(([, at]) =>
      Number(at),
    );
    expect(times.length).toBeGreaterThan(2);
    const histories = times.filter((at, index) => index > 0 && at < times[index - 1]!);
    // The second violation starts over.
    expect(histories.length).toBeLessThanOrEqual(1);
  });

  it('has no escape sequences unless colours are asked for', () => {
    const escape = '\u001b[';
    expect(renderVerdict(judge(broken))).not.toContain(escape);
    expect(renderVerdict(judge(broken), { colour: true })).toContain(`${escape}31m`);
  });

  it('sums up what it does not show', () => {
    const seen = Array.from({ length: 90 }, (_, index) => entry(index + 1));
    const halved = seen.filter(({ seq }) => seq % 2 === 0);
    const text = renderVerdict(judge(history(pull(1, 'p0', null, halved, seen.at(-1)!), finalPull(seen))), {
      shown: 1,
    });
    expect(text.match(/was never given/g)).toHaveLength(1);
    expect(text).toContain('… and 44 more like this.');
  });

  it('says when nothing was violated, and how much was looked at', () => {
    const text = renderVerdict(judge(history(full(1, versionOf(1), [row(entry(1))]), finalPull([entry(1)]))));
    expect(text).toMatch(/Nothing was violated; \d+ of 11 invariants were exercised\./);
    expect(text).toContain('No reader stalled');
  });

  it('shows each kind of event', () => {
    const text = renderVerdict(
      judge(
        history(
          probe('without-token', 200, null),
          { kind: 'leak', to: 'other', at: 4, where: 'an error text' },
          full(5, versionOf(1), [row(entry(1), { digest: 'other' })]),
          {
            kind: 'app-write',
            tenant: 'main',
            sentAt: 6,
            answeredAt: 7,
            answer: { status: 201, code: null },
            marker: 'main-app',
          },
          finalPull([entry(1)]),
        ),
      ),
    );
    expect(text).toContain('probe without-token: a pull -> 200');
    expect(text).toContain('received a secret of the other tenant: an error text');
    expect(text).toContain('full -> 200');
    expect(text).toContain('write main-app -> 201');
  });
});
