import type { History } from '../history';
import { INVARIANTS, type Finding, type InvariantNumber, type Verdict } from '../verdict';
import { judgeAppWrites } from './app-writes';
import { judgeAtomic } from './atomic';
import { judgeBoundedClock } from './bounded-clock';
import { judgeBoundedMemory } from './bounded-memory';
import { judgeComplete } from './complete';
import { judgeConvergent } from './convergent';
import { judgeDisposed } from './disposed';
import { FindingBuilder } from './finding-builder';
import { findGaps } from './gaps';
import { indexHistory, type HistoryIndex } from './history-index';
import { judgeIdempotent } from './idempotent';
import { judgeIsolated } from './isolated';
import { judgeOrder } from './order';
import { findPatchFaults, judgePatches } from './patches';
import { judgeTooLate } from './too-late';

/**
 * Says which of the invariants of docs/protocol.md hold in a history. Pure: the same history gives the same verdict. Time
 * and memory are linear in the history, except for sorting.
 */
export function judge(history: History): Verdict {
  const index = indexHistory(history);
  const gaps = new Map(index.scopes.map((scope) => [scope, findGaps(scope)]));
  const patches = index.scopes.map(findPatchFaults);
  const judges: Record<InvariantNumber, (index: HistoryIndex, found: FindingBuilder) => void> = {
    1: judgeAtomic,
    2: judgeOrder,
    3: (_, found) => {
      judgeComplete(index, gaps, found);
      for (const faults of patches) judgePatches(faults, 'lost', found);
    },
    4: (_, found) => {
      judgeIdempotent(index, found);
      for (const faults of patches) judgePatches(faults, 'twice', found);
    },
    5: judgeIsolated,
    6: judgeConvergent,
    7: (_, found) => judgeTooLate(index, gaps, found),
    8: judgeBoundedClock,
    9: judgeBoundedMemory,
    10: judgeDisposed,
    11: judgeAppWrites,
  };
  const findings = Object.keys(INVARIANTS).map((key): Finding => {
    const invariant = Number(key) as InvariantNumber;
    const found = new FindingBuilder(invariant);
    judges[invariant](index, found);
    return found.build();
  });
  return {
    seed: history.seed,
    command: history.command ?? null,
    findings,
    held: findings.every(({ violated }) => violated === 0),
  };
}
