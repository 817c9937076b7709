import { check, type Checked } from './check';
import { FaultCluster } from './cluster';
import { renderVerdict } from '../../../libs/conformance/src/report/render-verdict';
import { missedGoals, renderFigures } from './render-figures';
import type { Fault, FaultKind } from './schedule';

const fault = (at: number, kind: FaultKind, durationMs: number, target = 0): Fault => ({
  ...{ at, kind, target, durationMs },
});

/** The short set; `npm run check:faults` does all kinds at random, for as long as you like. */
const FAULTS = [
  fault(500, 'clock-ahead', 15_000, 1),
  fault(1_000, 'commit-reply-lost', 500),
  fault(1_500, 'transient-errors', 700, 1),
  fault(2_000, 'primary-killed', 3_000),
  fault(5_500, 'commit-unknown', 500),
  fault(6_000, 'answers-cut', 1_000),
  fault(6_500, 'server-killed', 300, 1),
  fault(8_000, 'primary-stepped-down', 1_000),
  fault(8_500, 'change-stream-history-lost', 500),
  fault(11_000, 'connections-cut', 100),
  fault(13_000, 'primary-frozen', 4_000),
];
/** A busy machine takes longer; on an idle one nothing waits for this. */
const LIMIT_MS = 150_000;

describe('a replica set of three and two server processes, under one fault after another', () => {
  let cluster: FaultCluster;
  let checked: Checked;

  beforeAll(async () => {
    cluster = await FaultCluster.start({ servers: 2 });
    checked = await check(cluster, {
      ...{ seed: 1, lengthMs: LIMIT_MS, calmMs: 3_000, faults: FAULTS },
      workload: { writers: 4, writerPauseMs: 60, pullers: 2, briefListeners: 3, maxBatch: 20 },
    });
  }, LIMIT_MS + 100_000);
  afterAll(() => cluster.stop(), 60_000);

  it('did each of the faults, and got over each', () => {
    const { conducted, figures } = checked;
    expect([...conducted.skipped, ...conducted.failures]).toEqual([]);
    expect(figures.faults).toEqual(Object.fromEntries(FAULTS.map(({ kind }) => [kind, 1])));
  });

  it('loses nothing, does nothing twice, and shows nobody another tenant’s data', () => {
    const { verdict, figures } = checked;
    // The text says what is wrong, with the shortest history.
    expect(verdict.held ? '' : renderVerdict(verdict)).toBe('');
    expect(figures).toMatchObject({ holes: 0, doubles: 0, leaks: 0, halfBatches: 0, otherViolations: 0 });
    for (const invariant of [1, 2, 3, 4, 5, 6, 10, 11])
      expect({ invariant, checks: figures.checks[invariant] }).not.toMatchObject({ checks: 0 });
    expect(figures.changesAcknowledged).toBeGreaterThan(30);
  });

  it('answers every push with 200 or 503, refuses it as it should, or its connection breaks', () => {
    const others = Object.keys(checked.figures.answers).filter(
      // 403: into a scope that the app has taken away.
      (answer) => !/^(200|403 scope_forbidden|413|503|none)/.test(answer),
    );
    expect(others).toEqual([]);
  });

  it('takes writes again within 15 seconds of each new primary', () => {
    const { figures } = checked;
    expect(figures.recoveries.length).toBeGreaterThanOrEqual(3);
    expect(missedGoals(figures).length === 0 ? '' : renderFigures(figures)).toBe('');
  });
});
