import type { Change } from '../stats/baseline';
import { formatRatio } from './format';

/** What a comparison with a baseline says: the worse ones by name, the others by number. */
export function changesText(changes: readonly Change[]): string {
  const worse = changes.filter((change) => change.worse);
  const lines = worse.map(
    ({ row, name, before, now }) => `WORSE  ${row}: ${name} ${formatRatio(now)}, was ${formatRatio(before)}`,
  );
  return [
    ...lines,
    `${String(changes.length)} ratios compared with the baseline, ${String(worse.length)} worse beyond the spread.`,
  ].join('\n');
}
