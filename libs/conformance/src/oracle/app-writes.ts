import type { AppWriteEvent } from '../history';
import type { FindingBuilder } from './finding-builder';
import type { HistoryIndex } from './history-index';
import { entriesOf } from './merges';
import { evidenceFor, type ScopeIndex } from './scope-index';

/** Invariant 11: a write of the app's is in the log like any other, once. */
export function judgeAppWrites(index: HistoryIndex, found: FindingBuilder): void {
  for (const scope of index.scopes) {
    for (const write of scope.appWrites) judgeWrite(scope, write, found);
  }
}

function judgeWrite(scope: ScopeIndex, write: AppWriteEvent, found: FindingBuilder): void {
  const entries = entriesOf(scope, write.marker);
  const status = write.answer?.status ?? null;
  const done = status !== null && status < 300;
  if (entries.length === 0 && done && !scope.settled(write.answeredAt)) {
    found.unchecked(
      `The log of ${scope.name} was not read as a whole: writes of the app that nobody saw are not judged.`,
    );
    return;
  }
  found.checked();
  const shown = () => [write, ...entries.flatMap(evidenceFor)];
  if (entries.length > 1) {
    found.violated(
      () =>
        `A write of the app (${scope.name}) is in the log ${entries.length} times: ${entries.map(({ version }) => version).join(', ')}.`,
      shown,
    );
  } else if (entries.length === 0 && done) {
    found.violated(
      () => `A write of the app (${scope.name}) was answered ${status}, and is not in the log.`,
      () => [write, ...scope.lastFinalPage()],
    );
  } else if (entries.length === 1 && status !== null && status >= 400 && status < 500) {
    found.violated(
      () => `A write of the app (${scope.name}) was refused with ${status}, and is in the log.`,
      shown,
    );
  }
}
