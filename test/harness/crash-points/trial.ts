import type { PushResult } from 'nest-offline-sync';
import type { Case, Host } from './case';
import { CrashPoint, describeSteps, type Step } from './crash-point';
import { difference, type Findings } from './findings';
import type { MortalProcess } from './mortal-process';
import type { Reader } from './reader';
import { answersOf, arriving, sendAgain, stateOf, type Recording } from './recording';
import type { Scenario } from './scenarios';
import type { Truth } from './truth';
import { violations } from './violations';

/** One broken run of one kind: up to its fault, its retry, and the result of both. */
export class Trial {
  readonly readers: Reader[] = [];
  private readonly point: CrashPoint;
  /** What its process answered, if it lived to do so, and the survivor to the retry. */
  private results: PushResult[][] | undefined;
  private retried: PushResult[][] | undefined;

  constructor(
    readonly on: Case,
    readonly scenario: Scenario,
    readonly recording: Recording,
    private readonly findings: Findings,
  ) {
    this.point = new CrashPoint(on.id, {
      faults: scenario.faults,
      arriving: (step) => arriving(on, step),
    });
  }

  /** Runs up to the last of its faults, or to the end where its process lives. */
  async break(process: MortalProcess): Promise<void> {
    const { left, steps, faults } = this.scenario;
    process.proxy.watch(this.point);
    const ended = process.run(this.on).then(
      (results) => void (this.results = results),
      (error: unknown) => {
        if (left === undefined) this.report('left', `failed: ${String(error)}`);
      },
    );
    // A run that ends before its faults have struck has taken other steps than the recorded one.
    await (left === undefined ? ended : Promise.race([this.point.allStruck, ended]));
    const [first = 0] = faults.keys();
    const path = (taken: readonly Step[]): string => describeSteps(taken.slice(0, first + 1));
    this.compare('steps', path(this.point.steps), path(this.recording.steps));
    this.compare('steps', describeSteps(this.point.struck), describeSteps(steps));
  }

  /** What its process has left in the database is what had been committed, all of it and nothing else. */
  checkLeft(truth: Truth): void {
    const { left, answers } = { left: this.scenario.left ?? this.recording.end, ...this.recording };
    this.compare('left', stateOf(this.on, truth), left);
    if (this.scenario.left === undefined && this.results) this.compareAnswers(truth, this.results, answers);
  }

  /** The client's retry: the same pushes again; without mutation ids it looks first. */
  async retry(survivor: Host, left: Truth): Promise<void> {
    const { on } = this;
    try {
      if (on.kind.unidentified && stateOf(on, left) === this.recording.end) return;
      await on.once('meanwhile', async () => on.kind.meanwhile?.work(on));
      if (on.kind.write) await on.kind.write(on, survivor);
      else this.retried = await sendAgain(on);
    } catch (error) {
      this.report('retry', `failed: ${String(error)}`);
    }
  }

  async checkEnd(left: Truth, truth: Truth): Promise<void> {
    const { on, recording, retried } = this;
    this.compare('end', stateOf(on, truth), recording.end);
    if (retried) this.compareAnswers(truth, retried, this.answersToRetry(left));
    for (const [index, scope] of on.scopes.entries()) {
      for (const sentence of violations(truth.get(scope)!)) this.report('invariants', sentence);
      for (const [subject, text] of await this.readers[index]!.findings(truth.get(scope)!))
        this.report(subject, text);
    }
  }

  /** A mutation whose receipt the crash has left is answered as the recorded one was the second time. */
  private answersToRetry(left: Truth): Recording['answers'] {
    const { answers, replays } = this.recording;
    return answers.map((ofPush, push) =>
      ofPush.map((answer, change) => {
        const { scope, changes } = this.on.pushes[push]!;
        const { mutation_id } = changes[change] as { mutation_id?: string };
        const { receipts } = left.get(this.on.named(scope))!;
        const isKept = receipts.some(({ _id }) => _id.mutation === mutation_id && _id.client === 'device');
        const replay = replays[push]?.[change];
        return isKept && replay ? { ...answer, replayed: replay.replayed } : answer;
      }),
    );
  }

  private compareAnswers(truth: Truth, given: PushResult[][], expected: Recording['answers']): void {
    this.compare('answers', JSON.stringify(answersOf(this.on, truth, given)), JSON.stringify(expected));
  }

  private compare(subject: string, got: string, expected: string): void {
    const text = difference(got, expected);
    if (text !== undefined) this.report(subject, text);
  }

  private report(subject: string, text: string): void {
    this.findings.add(subject, `${this.on.kind.name}, ${this.scenario.name}: ${text}`);
  }
}
