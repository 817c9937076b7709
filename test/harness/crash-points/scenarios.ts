import { describeStep, isFatal, type Fault, type Step } from './crash-point';
import type { Recording } from './recording';

/** One way for a case to fail, and what the database must hold when it has. */
export interface Scenario {
  readonly name: string;
  readonly faults: ReadonlyMap<number, Fault>;
  /** What the struck commands must be, in their order. */
  readonly steps: readonly Step[];
  /** Undefined: the process lives, and the case ends as the unbroken one. */
  readonly left: string | undefined;
  /** Breaks a connection, which its process's other commands feel too. */
  readonly cuts: boolean;
  /** Dies with something written and nothing committed: that is locked until the transaction is ended. */
  readonly locks: boolean;
}

/** Every way for a kind to fail at every of its steps. */
export function scenariosOf(recording: Recording): Scenario[] {
  return [...deaths(recording), ...cuts(recording), ...unknownCommits(recording)];
}

/** Where a process can die: before and after each command of the recorded run. */
function deaths({ steps, before, after }: Recording): Scenario[] {
  return steps.flatMap((step) => [
    {
      ...scenario([[step, 'dies-before']], before[step.index]),
      locks: isCommit(step) && before[step.index] !== after[step.index],
    },
    scenario([[step, 'dies-after']], after[step.index]),
  ]);
}

/** The connection breaks at each command, and the process has to find out what became of it. */
function cuts({ steps }: Recording): Scenario[] {
  return steps.flatMap((step) => [
    scenario([[step, 'cut-before']], undefined),
    scenario([[step, 'cut-after']], undefined),
  ]);
}

/** The outcome of a commit is unknown; the process asks again, and dies or is cut off once more while it does. */
function unknownCommits({ steps, before, after }: Recording): Scenario[] {
  return steps.filter(isCommit).flatMap((step) => {
    const again = { ...step, index: step.index + 1 };
    const [undone, done] = [before[step.index], after[step.index]];
    const twice = (first: Fault, second: Fault, left: string | undefined): Scenario =>
      scenario(
        [
          [step, first],
          [again, second],
        ],
        left,
      );
    return [
      twice('cut-before', 'dies-before', undone),
      twice('cut-before', 'dies-after', done),
      twice('cut-after', 'dies-before', done),
      twice('cut-after', 'dies-after', done),
      twice('cut-after', 'cut-after', undefined),
    ];
  });
}

function isCommit({ name }: Step): boolean {
  return name === 'commitTransaction';
}

function scenario(struck: readonly (readonly [Step, Fault])[], left: string | undefined): Scenario {
  return {
    name: struck.map(([at, how]) => `${how} ${String(at.index)} ${describeStep(at)}`).join(', then '),
    faults: new Map(struck.map(([at, how]) => [at.index, how])),
    steps: struck.map(([at]) => at),
    left,
    cuts: struck.some(([, how]) => !isFatal(how)),
    locks: false,
  };
}
