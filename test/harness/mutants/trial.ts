import { randomBytes } from 'node:crypto';
import { judge, runWorkload, type InvariantNumber, type Verdict } from '../../../libs/conformance/src';
import type { EmbeddedMongo } from '../../../libs/embedded-mongo/src';
import { clubsAt } from '../../support/club-scopes';
import { CONDITIONS, type Condition, type ConditionName } from './conditions';
import { deploy, type Deployment } from './deployment';
import type { Mutant } from './mutant';

export interface Outcome {
  /** Of the round that found it, else of the last. */
  readonly verdict: Verdict;
  /** All invariants that the rounds have found violated. */
  readonly found: readonly InvariantNumber[];
  /** How often, all invariants of the last round together. */
  readonly violations: number;
  readonly rounds: number;
  readonly seconds: number;
}

/** Maximum number of checks per mutant: some mistakes only show when two transactions collide. */
const ROUNDS = 6;
const SEED = 5;
/** Runs until this much was seen, so that a busy machine shows as much as an idle one. */
const WRITING = { changes: 400, leastMs: 1_000, mostSeconds: 60 };

/** Large enough that a socket that is not read fills up within seconds. */
const template = {
  title: '{marker}',
  done: false,
  visits: 0,
  tags: [],
  lines: [{ text: 'x'.repeat(600), count: 1 }],
};
const patch = { count: 'visits', list: 'tags', optional: 'more.due' };
/** Longest time in or out of a scope. */
const CLUB_TIME_MS = 600;

/** Checks a broken build until one of its invariants is found violated, on one deployment. */
export async function tryMutant(mongod: EmbeddedMongo, mutant: Mutant): Promise<Outcome> {
  return onDeployment(mongod, mutant.name, mutant.under, ROUNDS, (verdict) =>
    mutant.violates.some((invariant) => violated(verdict).includes(invariant)),
  );
}

/** Checks the unbroken build under a condition, once. */
export async function tryWhole(mongod: EmbeddedMongo, under: ConditionName): Promise<Outcome> {
  return onDeployment(mongod, null, under, 1, (verdict) => !verdict.held);
}

/** The invariants that a verdict has found violated. */
export function violated({ findings }: Verdict): InvariantNumber[] {
  return findings.filter((finding) => finding.violated > 0).map(({ invariant }) => invariant);
}

async function onDeployment(
  mongod: EmbeddedMongo,
  mutant: string | null,
  under: ConditionName,
  maxRounds: number,
  isEnough: (verdict: Verdict) => boolean,
): Promise<Outcome> {
  const began = performance.now();
  const condition: Condition = CONDITIONS[under];
  const deployment = await deploy(mongod, mutant, condition);
  try {
    const found = new Set<InvariantNumber>();
    for (let rounds = 1; ; rounds++) {
      const verdict = await checkOnce(deployment, condition, SEED + rounds);
      for (const invariant of violated(verdict)) found.add(invariant);
      if (rounds < maxRounds && !isEnough(verdict)) continue;
      return {
        verdict,
        found: [...found].sort((a, b) => a - b),
        violations: verdict.findings.reduce((sum, finding) => sum + finding.violated, 0),
        rounds,
        seconds: (performance.now() - began) / 1000,
      };
    }
  } finally {
    await deployment.end();
  }
}

/** One run of the checker on fresh scopes. */
async function checkOnce(deployment: Deployment, condition: Condition, seed: number): Promise<Verdict> {
  const run = randomBytes(4).toString('hex');
  if (condition.fault) await deployment.disturb(condition.fault);
  const enough = new AbortController();
  try {
    const history = await runWorkload({
      urls: deployment.urls,
      token: deployment.tokenOf(`main ${run}`),
      otherToken: deployment.tokenOf(`other ${run}`),
      collections: [
        { name: 'notes', template, ids: 'text', patch },
        { name: 'cards', template, ids: 'text', patch },
      ],
      membership: clubsAt(
        deployment.urls,
        { main: `user of main ${run}`, other: `user of other ${run}` },
        [run],
        CLUB_TIME_MS,
      ),
      appWrite: { method: 'POST', path: '/app/writes', body: template },
      seed,
      run,
      writers: 4,
      briefListeners: 4,
      seconds: WRITING.mostSeconds,
      signal: enough.signal,
      onProgress: ({ phase, elapsedMs, changes }) => {
        if (phase === 'writing' && elapsedMs > WRITING.leastMs && changes > WRITING.changes) enough.abort();
      },
    });
    return judge(history);
  } finally {
    await deployment.calm();
  }
}
