import { INVARIANTS } from '../../../libs/conformance/src/verdict';
import { CONDITIONS, type ConditionName } from './conditions';
import { inLanes, type Lanes } from './lanes';
import { SHORT_SET } from './list';
import { tryMutant, tryWhole, type Outcome } from './trial';

/**
 * The conformance check can fail: deliberately broken builds are caught, under conditions in which the unbroken one passes.
 * Here a short set, in which each invariant has at least one; `npm run check:mutants` tries them all. All of it runs in
 * two lanes from the beginning; each test waits for its own result.
 */
const LIMIT_MS = 1_200_000;
const conditions = Object.keys(CONDITIONS) as ConditionName[];
let lanes: Lanes<Outcome>;

beforeAll(() => {
  lanes = inLanes(2, [
    ...conditions.map((name) => (mongod: Parameters<typeof tryWhole>[0]) => tryWhole(mongod, name)),
    ...SHORT_SET.map((mutant) => (mongod: Parameters<typeof tryMutant>[0]) => tryMutant(mongod, mutant)),
  ]);
});

afterAll(() => lanes.over, LIMIT_MS);

function shown({ verdict }: Outcome): string[] {
  return verdict.findings.flatMap(({ invariant, violations }) =>
    violations.slice(0, 2).map(({ message }) => `${String(invariant)}: ${message}`),
  );
}

describe('the whole build', () => {
  it.each(conditions)(
    'holds: %s',
    async (name) => {
      const outcome = await lanes.results[conditions.indexOf(name)]!;
      expect(shown(outcome)).toEqual([]);
      expect(outcome.verdict.held).toBe(true);
    },
    LIMIT_MS,
  );
});

describe('a broken build is caught', () => {
  it('that violates any of the invariants', () => {
    const violated = new Set(SHORT_SET.flatMap(({ violates }) => violates));
    expect([...violated].sort((a, b) => a - b)).toEqual(Object.keys(INVARIANTS).map(Number));
  });

  it.each(SHORT_SET.map((mutant, index) => [mutant.name, mutant, index] as const))(
    '%s',
    async (_, { violates }, index) => {
      const { found } = await lanes.results[conditions.length + index]!;
      expect(violates.filter((invariant) => found.includes(invariant))).not.toEqual([]);
    },
    LIMIT_MS,
  );
});
