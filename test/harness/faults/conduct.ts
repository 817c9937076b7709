import { setTimeout as delay } from 'node:timers/promises';
import type { FaultCluster } from './cluster';
import { INJECTORS } from './injectors';
import type { Heal } from './injectors/injector';
import { FAULTS, type Fault, type Lane } from './schedule';

/** What became of a fault. Times as in the history: milliseconds since the run began. */
export interface Injected {
  readonly fault: Fault;
  readonly startedAt: number;
  readonly healedAt: number;
}

export interface Conducted {
  readonly injected: readonly Injected[];
  /** What could not be done, such as to a primary that another fault had just frozen, one line each. */
  readonly skipped: readonly string[];
  /** What did not recover, one line each. */
  readonly failures: readonly string[];
}

export interface ConductOptions {
  /** Milliseconds since the run began. */
  readonly now: () => number;
  readonly onFault?: (fault: Fault) => void;
  readonly signal?: AbortSignal;
}

/**
 * Causes the schedule's faults in the cluster, each lane on its own. A fault comes later than planned when the one before
 * it in its lane was not over; one of a member comes only when all three members are well.
 */
export async function conduct(
  cluster: FaultCluster,
  schedule: readonly Fault[],
  { now, onFault, signal }: ConductOptions,
): Promise<Conducted> {
  const injected: Injected[] = [];
  const skipped: string[] = [];
  const failures: string[] = [];
  const tell = (fault: Fault, error: unknown): string =>
    `${fault.kind} at ${String(Math.round(now()))} ms: ${(error as Error).message}`;
  const lanes = new Map<Lane, Fault[]>();
  for (const fault of schedule) {
    const { lane } = FAULTS[fault.kind];
    lanes.set(lane, [...(lanes.get(lane) ?? []), fault]);
  }
  const pause = (ms: number): Promise<void> =>
    delay(Math.max(0, ms), undefined, { signal }).catch(() => undefined);

  const one = async (fault: Fault, lane: Lane): Promise<void> => {
    await pause(fault.at - now());
    if (signal?.aborted) return;
    if (lane === 'member') await cluster.whole();
    const startedAt = now();
    onFault?.(fault);
    let heal: Heal;
    try {
      heal = await INJECTORS[fault.kind](cluster, fault);
    } catch (error) {
      // A server that does not stop in order, or does not start again, is not skipped.
      (lane === 'server' ? failures : skipped).push(tell(fault, error));
      return;
    }
    try {
      await pause(startedAt + fault.durationMs - now());
    } finally {
      await heal();
    }
    if (lane === 'member') await cluster.whole();
    injected.push({ fault, startedAt, healedAt: now() });
  };

  await Promise.all(
    [...lanes].map(async ([lane, faults]) => {
      for (const fault of faults)
        try {
          await one(fault, lane);
        } catch (error) {
          failures.push(tell(fault, error));
        }
    }),
  );
  return { injected: injected.sort((a, b) => a.startedAt - b.startedAt), skipped, failures };
}
