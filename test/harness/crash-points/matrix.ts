import { Case, type Kind } from './case';
import type { EngineProcess } from './engine-process';
import { Findings } from './findings';
import { inParallel } from './in-parallel';
import type { MortalProcess } from './mortal-process';
import { Reader } from './reader';
import { record, type Look, type Recording } from './recording';
import { hideTheDead, recover, type Recovered } from './recovery';
import { scenariosOf } from './scenarios';
import { seedFor, storeSeeds } from './seed';
import { Trial } from './trial';
import type { Truth } from './truth';

export interface World {
  readonly survivor: EngineProcess;
  /** Where many cases stop side by side. */
  readonly victims: readonly MortalProcess[];
  /** One case at a time: a cut connection disturbs the other commands of its process. */
  readonly cutOff: readonly MortalProcess[];
  readonly look: Look;
}

/** How many cases run in one victim at the same time. */
const SIDE_BY_SIDE = 8;

/** Every kind of request, stopped in every way at every step of it. */
export class CrashMatrix {
  readonly recordings = new Map<Kind, Recording>();
  readonly findings = new Findings();
  /** Who came through while the dead processes held their locks, and after that. */
  recovered: readonly Recovered[] = [];
  private readonly cases = new Map<number, Case>();
  private readonly trials: Trial[] = [];

  constructor(private readonly world: World) {}

  /** The case that a scope belongs to. */
  caseOf(scopeId: string): Case | undefined {
    return this.cases.get(Number(/^case-(\d+)-/.exec(scopeId)?.[1]));
  }

  async run(kinds: readonly Kind[]): Promise<void> {
    await inParallel(kinds, (kind) => this.record(kind), SIDE_BY_SIDE);
    await this.prepareAll();
    await this.breakAll();
    const left = await this.truth();
    for (const trial of this.trials) trial.checkLeft(left);
    this.recovered = await recover(this.world.survivor, this.trials, left, () => this.pullAll());
    await this.pullAll();
    const truth = await this.truth();
    await inParallel(this.trials, (trial) => trial.checkEnd(left, truth));
  }

  /** How much of it there is. */
  toString(): string {
    const steps = [...this.recordings.values()].reduce((sum, recording) => sum + recording.steps.length, 0);
    const counts = { kinds: this.recordings.size, steps, trials: this.trials.length };
    return Object.entries(counts)
      .map(([what, count]) => `${String(count)} ${what}`)
      .join(', ');
  }

  close(): void {
    for (const { readers } of this.trials) for (const reader of readers) reader.close();
  }

  private newCase(kind: Kind): Case {
    const on = new Case(this.cases.size + 1, kind, this.world.survivor.sync);
    this.cases.set(on.id, on);
    return on;
  }

  private async record(kind: Kind): Promise<void> {
    const { victims, look } = this.world;
    try {
      this.recordings.set(kind, await record(this.newCase(kind), victims[0]!, look));
    } catch (error) {
      throw new Error(`Cannot record: ${kind.name}`, { cause: error });
    }
  }

  /** All the trials, each with what it begins with and its readers. */
  private async prepareAll(): Promise<void> {
    const { survivor } = this.world;
    for (const [kind, recording] of this.recordings)
      for (const scenario of scenariosOf(recording))
        this.trials.push(new Trial(this.newCase(kind), scenario, recording, this.findings));
    const seeds = new Map(this.trials.map((trial) => [trial, seedFor(trial.on, trial.recording)]));
    await storeSeeds(survivor.db, [...seeds.values()]);
    await inParallel(seeds, async ([{ readers }, seed]) => {
      for (const known of seed.values()) readers.push(await Reader.open(survivor.sync, known));
    });
  }

  /**
   * Each trial up to its last fault; then all processes but the survivor die at once. Those that leave locks come last:
   * a victim that lives on gives up what has stopped in it after a while, and ends its transaction.
   */
  private async breakAll(): Promise<void> {
    const { victims, cutOff } = this.world;
    const cutting = this.trials.filter(({ scenario }) => scenario.cuts);
    const locking = this.trials.filter(({ scenario }) => scenario.locks);
    const dying = this.trials.filter(({ scenario }) => !scenario.cuts && !scenario.locks);
    await Promise.all([...shared(dying, victims, SIDE_BY_SIDE), ...shared(cutting, cutOff, 1)]);
    await Promise.all(shared(locking, victims, SIDE_BY_SIDE));
    for (const process of [...victims, ...cutOff]) process.proxy.kill();
    await hideTheDead(this.world.survivor);
  }

  private async pullAll(): Promise<void> {
    const readers = this.trials.flatMap((trial) => trial.readers);
    await inParallel(readers, (reader) => reader.pull());
  }

  private truth(): Promise<Truth> {
    return this.world.look(this.trials.flatMap(({ on }) => on.scopes));
  }
}

/** Whichever process is free takes the next trial. */
function shared(
  trials: readonly Trial[],
  processes: readonly MortalProcess[],
  width: number,
): Promise<void>[] {
  const waiting = trials.values();
  return processes.map((process) => inParallel(waiting, (trial) => trial.break(process), width));
}
