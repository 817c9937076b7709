import type { Answer, Probe } from '../history';
import type { FindingBuilder } from './finding-builder';
import type { HistoryIndex } from './history-index';
import { judgeStalls } from './stalls';

interface Refusal {
  readonly statuses: readonly number[];
  /** null: any. An app's body parser has none. */
  readonly code: string | null;
}

const REFUSALS: Partial<Record<Probe, Refusal>> = {
  'too-many-changes': { statuses: [413], code: null },
  'too-large': { statuses: [413, 1009], code: null },
  'limit-out-of-range': { statuses: [400], code: 'invalid_limit' },
  'malformed-body': { statuses: [400, 4400], code: null },
};

/** Invariant 9: a request is refused before it costs much, and a slow reader does not affect the others. */
export function judgeBoundedMemory(index: HistoryIndex, found: FindingBuilder): void {
  for (const probe of index.probes) {
    const refusal = REFUSALS[probe.probe];
    if (refusal === undefined) continue;
    if (probe.answer === null || probe.answer.status === 503) {
      found.unchecked(`The probe ${probe.probe} got no answer: ${probe.detail}`);
      continue;
    }
    found.checked();
    if (isRefused(probe.answer, refusal)) continue;
    const { status, code } = probe.answer;
    found.violated(
      () =>
        `${probe.probe} was answered ${status} ${code ?? ''}, not ${refusal.statuses[0] ?? ''} ${refusal.code ?? ''}`.trimEnd() +
        '.',
      () => [probe],
    );
  }
  judgeStalls(index, found);
}

function isRefused(answer: NonNullable<Answer>, { statuses, code }: Refusal): boolean {
  return statuses.includes(answer.status) && (code === null || answer.code === code);
}
