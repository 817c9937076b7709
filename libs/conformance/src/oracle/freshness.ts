import type { PushEvent } from '../history';
import { cutPull } from './evidence';
import type { FindingBuilder } from './finding-builder';
import type { ScopeIndex } from './scope-index';
import { evidenceOf, sendingsOf, tookEffect, type Sending } from './sendings';

/** A pull that was sent after an answer shows what was answered: it was committed before. */
export function judgeFreshness(scope: ScopeIndex, found: FindingBuilder): void {
  const answered = scope.pushes
    .flatMap((push) => {
      const newest = newestOf(push);
      return newest === null ? [] : [{ at: push.answeredAt, ...newest }];
    })
    .sort((a, b) => a.at - b.at);
  const ends = scope.pulls.filter(({ page }) => page !== null && 'changes' in page && !page.hasMore);
  ends.sort((a, b) => a.sentAt - b.sentAt);
  let next = 0;
  let newest: (typeof answered)[number] | null = null;
  for (const pull of ends) {
    for (let fact = answered[next]; fact !== undefined && fact.at < pull.sentAt; fact = answered[next]) {
      if (newest === null || fact.version > newest.version) newest = fact;
      next += 1;
    }
    if (newest === null || pull.page === null || 'resync' in pull.page) continue;
    found.checked();
    const { lastSeq } = pull.page;
    if (lastSeq >= newest.version) continue;
    const { sending, version } = newest;
    found.violated(
      () =>
        `${version} was acknowledged to ${sending.push.client} (${scope.name}) before ${pull.reader} asked, whose ` +
        `pull came to the end of the log at ${lastSeq} without it.`,
      () => [...evidenceOf(sending), cutPull(pull, [])],
    );
  }
}

function newestOf(push: PushEvent): { readonly version: string; readonly sending: Sending } | null {
  let newest: { version: string; sending: Sending } | null = null;
  for (const sending of sendingsOf(push)) {
    const version = sending.result?.newVersion ?? null;
    if (version === null || !tookEffect(sending.result)) continue;
    if (newest === null || version > newest.version) newest = { version, sending };
  }
  return newest;
}
