import type { History } from '../history';
import { INVARIANTS, type Finding, type InvariantNumber, type Verdict } from '../verdict';
import { judgeComplete } from './complete';
import { FindingBuilder } from './finding-builder';
import { findGaps } from './gaps';
import { indexHistory, type HistoryIndex } from './history-index';
import { judgeIdempotent } from './idempotent';
import { judgeOrder } from './order';

/**
 * Says which of the invariants of docs/protocol.md a history keeps. Pure: the same history gives the same verdict. Time
 * and memory are linear in the history, but for sorting.
 */
export function judge(history: History): Verdict {
  const index = indexHistory(history);
  const gaps = new Map(index.scopes.map((scope) => [scope, findGaps(scope)]));
  const judges: Partial<Record<InvariantNumber, (index: HistoryIndex, found: FindingBuilder) => void>> = {
    2: judgeOrder,
    3: (_, found) => judgeComplete(index, gaps, found),
    4: judgeIdempotent,
  };
  const findings = Object.keys(INVARIANTS).map((key): Finding => {
    const invariant = Number(key) as InvariantNumber;
    const found = new FindingBuilder(invariant);
    judges[invariant]?.(index, found);
    return found.build();
  });
  return {
    seed: history.seed,
    command: history.command ?? null,
    findings,
    held: findings.every(({ violated }) => violated === 0),
  };
}
