import type { FindingBuilder } from './finding-builder';
import type { HistoryIndex } from './history-index';

/** A push over the socket gets one answer, and is refused with the code that HTTP has for the same. */
export function judgeSocketPushes(index: HistoryIndex, found: FindingBuilder): void {
  found.checked(index.scopes.flatMap(({ pushes }) => pushes.filter(({ via }) => via === 'socket')).length);
  for (const stray of index.strays)
    found.violated(
      () => `A socket of ${stray.tenant} was sent ${stray.what}.`,
      () => [stray],
    );
  for (const probe of index.probes) {
    if (probe.probe !== 'socket-push') continue;
    const { answer, expected } = probe;
    if (answer === null || expected == null || answer.status === 503 || expected.status === 503) {
      found.unchecked('A push that is refused as a whole got no answer over the socket, or over HTTP.');
      continue;
    }
    found.checked();
    if (answer.code === expected.code) continue;
    found.violated(
      () =>
        `${probe.detail}: over the socket it was answered ${answer.code ?? answer.status}, and over HTTP ` +
        `${expected.code ?? expected.status}.`,
      () => [probe],
    );
  }
}
