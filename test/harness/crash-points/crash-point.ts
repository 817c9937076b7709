/** What happens to one command on its way: the process dies, or only the connection that carries it. */
export type Fault =
  /** The command never reaches the database; the process is dead. */
  | 'dies-before'
  /** It takes effect; the process dies before it hears of it. */
  | 'dies-after'
  /** The connection breaks before the command arrives; the process lives on. */
  | 'cut-before'
  /** It takes effect, and the connection breaks before the answer; the process lives on. */
  | 'cut-after';

export function isFatal(fault: Fault): boolean {
  return fault === 'dies-before' || fault === 'dies-after';
}

/** A command of a case, in the order of arrival. */
export interface Step {
  readonly index: number;
  readonly name: string;
  readonly target: string;
}

export interface Watching {
  /** By the step that it strikes. None: the run is only recorded. */
  readonly faults?: ReadonlyMap<number, Fault>;
  /** Awaited before a command goes on to the database, and before its answer goes back. */
  readonly arriving?: (step: Step) => Promise<void>;
  readonly answering?: (step: Step) => Promise<void>;
}

/** One case as the proxy sees it: its commands so far, and where it is to stop. */
export class CrashPoint {
  readonly steps: Step[] = [];
  /** Faults that have struck. */
  readonly struck: Step[] = [];
  /** Nothing of this case goes to the database any more, nothing comes back. */
  dead = false;
  /** All its faults have struck. */
  readonly allStruck: Promise<void>;
  private announce = (): void => undefined;

  /** @param id all that the case sends is known by `case-<id>-` in it, and by the transaction that such a command began */
  constructor(
    readonly id: number,
    readonly watching: Watching = {},
  ) {
    this.allStruck = new Promise((resolve) => (this.announce = resolve));
  }

  next(name: string, target: string): Step {
    const step = { index: this.steps.length, name, target };
    this.steps.push(step);
    return step;
  }

  strike(step: Step, fault: Fault): void {
    this.struck.push(step);
    if (isFatal(fault)) this.dead = true;
    if (this.struck.length === this.watching.faults?.size) this.announce();
  }
}

export function describeStep({ name, target }: Step): string {
  return target === '' ? name : `${name} ${target}`;
}

export function describeSteps(steps: readonly Step[]): string {
  return steps.map(describeStep).join(', ');
}
