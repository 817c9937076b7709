import type { PushResult } from 'nest-offline-sync';
import type { Case } from './case';
import { comparable, comparableScope } from './comparable';
import { CrashPoint, describeStep, type Step } from './crash-point';
import type { MortalProcess } from './mortal-process';
import type { Truth } from './truth';

/** Reads what the database has of some scopes. */
export type Look = (scopes: readonly string[]) => Promise<Truth>;

/** An unbroken run: what its process sent, and what the database held at each step. */
export interface Recording {
  readonly on: Case;
  readonly steps: readonly Step[];
  /** What was there before, the versions that its pushes were made from, and what was there after. */
  readonly seed: Truth;
  readonly versions: Case['versions'];
  readonly done: Truth;
  /** The case's scopes as they were when a command came, and when its answer went back; by step. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly end: string;
  /** A push's answers, the first and the second time, in a form that can be compared between runs. */
  readonly answers: readonly Answers[];
  readonly replays: readonly Answers[];
}

/** By change: its answer without `replayed`, and that. */
export type Answers = readonly { readonly text: string; readonly replayed: boolean }[];

export function stateOf(on: Case, truth: Truth): string {
  return on.scopes.map((scope) => comparableScope(truth.get(scope)!)).join('\n');
}

export function answersOf(on: Case, truth: Truth, results: readonly PushResult[][]): Answers[] {
  return results.map((ofPush, index) => {
    const scope = truth.get(on.named(on.pushes[index]!.scope))!;
    return ofPush.map(({ replayed = false, ...rest }) => ({ text: comparable(rest, scope), replayed }));
  });
}

/** The pushes again, one after another, to the process that lives. */
export async function sendAgain(on: Case): Promise<PushResult[][]> {
  const results: PushResult[][] = [];
  for (const push of on.pushes) results.push(await on.send(push));
  return results;
}

/** What has to have happened before a command of the case goes on, in each run alike. */
export async function arriving(on: Case, step: Step): Promise<void> {
  await on.sent;
  const { meanwhile } = on.kind;
  if (meanwhile?.before === describeStep(step)) await on.once('meanwhile', () => meanwhile.work(on));
}

/** Runs a case without a fault, and then its retry. */
export async function record(on: Case, process: MortalProcess, look: Look): Promise<Recording> {
  await on.kind.seed?.(on);
  on.preparePushes();
  const versions = { ...on.versions };
  const seed = await look(on.scopes);
  const before: string[] = [];
  const after: string[] = [];
  const point = new CrashPoint(on.id, {
    arriving: async (step) => {
      await arriving(on, step);
      before[step.index] = stateOf(on, await look(on.scopes));
    },
    answering: async (step) => {
      after[step.index] = stateOf(on, await look(on.scopes));
    },
  });
  process.proxy.watch(point);
  const results = await process.run(on);
  const steps = [...point.steps];
  const done = await look(on.scopes);
  const replays = on.kind.unidentified ? [] : await sendAgain(on);
  const truthAgain = await look(on.scopes);
  return {
    on,
    steps,
    seed,
    versions,
    done,
    before,
    after,
    end: stateOf(on, done),
    answers: answersOf(on, done, results),
    replays: answersOf(on, truthAgain, replays),
  };
}
