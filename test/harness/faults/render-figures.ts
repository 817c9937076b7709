import type { Figures, Recovery } from './figures';

/** From an election until writes flow again. */
export const GOAL_MS = 15_000;

/** The figures as text, for people. */
export function renderFigures(figures: Figures): string {
  const { faults, answers, recoveries } = figures;
  const total = Object.values(faults).reduce((sum, count) => sum + count, 0);
  return [
    `${String(total)} faults: ${list(faults)}`,
    `${String(figures.pushes)} pushes with ${String(figures.changesSent)} changes, ${String(figures.changesAcknowledged)} acknowledged`,
    `made of: ${list(figures.made)}`,
    `answers: ${list(answers)}`,
    `holes ${String(figures.holes)}, doubles ${String(figures.doubles)}, leaks ${String(figures.leaks)}, half batches ${String(figures.halfBatches)}, other violations ${String(figures.otherViolations)}`,
    `longest outage that a client saw: ${seconds(figures.longestPushOutageMs)} of pushes, ${seconds(figures.longestPullOutageMs)} of pulls`,
    `${String(recoveries.length)} new primaries; first acknowledged push after at most ${seconds(worst(recoveries, 'firstAckMs'))}, every client again after at most ${seconds(worst(recoveries, 'everyClientMs'))}`,
    ...recoveries.map(
      ({ fault, electedAt, sinceFaultMs, firstAckMs, everyClientMs }) =>
        `  at ${seconds(electedAt)}, ${fault ?? 'without a fault'}: first push ${seconds(firstAckMs)} after the election, ${seconds(sinceFaultMs)} after the fault; every client ${seconds(everyClientMs)}`,
    ),
  ].join('\n');
}

/** New primaries after which no push was acknowledged within the goal. */
export function missedGoals({ recoveries }: Figures): readonly Recovery[] {
  return recoveries.filter(({ firstAckMs }) => firstAckMs === null || firstAckMs > GOAL_MS);
}

function worst(recoveries: readonly Recovery[], what: 'firstAckMs' | 'everyClientMs'): number {
  return Math.max(0, ...recoveries.map((recovery) => recovery[what] ?? Infinity));
}

function list(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${String(count)} ${name}`)
    .join(', ');
}

function seconds(ms: number | null): string {
  return ms === null ? 'never' : `${(ms / 1000).toFixed(1)} s`;
}
