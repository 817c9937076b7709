import type { Answer } from '../history';
import type { Device } from '../wire/device';
import type { Party } from './party';
import { pause } from './pause';
import { isOpen, type Writer } from './writer';

/** Of a writer that has ended: what was never answered, and a sample of what was. Both may take effect once only. */
export async function sendAgain(writer: Writer): Promise<void> {
  const { party } = writer;
  const device = party.device();
  // In turn over the one and the other, where there are two: the receipts are the same.
  let overSocket = false;
  for (const { client, atomic, changes } of [...writer.unanswered, ...writer.answered]) {
    overSocket = party.features.has('socket_push') && !overSocket;
    await insist(
      party,
      () => party.push(device, client, atomic, changes, overSocket),
      (event) => !isOpen(event),
    );
  }
}

/** Reads everything when nobody writes any more: each reading must find the same state. */
export async function readEverything(party: Party): Promise<void> {
  const device = party.device();
  await pullToTheEnd(party, device, `final-pull-${party.label}`, null);
  for (const [limit, kind] of [
    [1000, 'paged'],
    [0, 'whole'],
  ] as const) {
    const reader = `final-full-${kind}-${party.label}`;
    const { lastSeq } = await insist(
      party,
      () => party.full(device, reader, limit),
      ({ rows }) => rows !== null,
    );
    if (lastSeq !== null) await pullToTheEnd(party, device, reader, lastSeq);
  }
  if (!party.features.has('digest')) return;
  await insist(
    party,
    () => party.digest(device, `final-digest-${party.label}`),
    ({ collections }) => collections !== null,
  );
}

async function pullToTheEnd(
  party: Party,
  device: Device,
  reader: string,
  from: string | null,
): Promise<void> {
  let since = from;
  for (;;) {
    const question = { since, collections: null, limit: 1000 };
    const { page } = await insist(
      party,
      () => party.pull(device, reader, question),
      (event) => event.page !== null,
    );
    if (page === null || 'resync' in page) return;
    since = page.lastSeq;
    if (!page.hasMore) return;
  }
}

/** Tries until it worked, was refused for good, or `maxUnansweredRetries` are over. */
async function insist<E extends { readonly answer: Answer }>(
  party: Party,
  attempt: () => Promise<E>,
  worked: (event: E) => boolean,
): Promise<E> {
  for (let tries = 0; ; tries++) {
    const event = await attempt();
    const refused = event.answer !== null && event.answer.status >= 400 && event.answer.status < 500;
    if (worked(event) || refused || tries >= party.settings.maxUnansweredRetries) return event;
    await pause(Math.min(100 * 2 ** tries, 1000));
  }
}
