import { fieldsOf, answerOf } from '../wire/parse';
import { jsonOf } from '../wire/exchange';
import { markerOf } from '../wire/marker';
import type { Outgoing } from '../wire/device';
import type { KnownDocument, Party } from './party';
import { pause } from './pause';
import { Random } from './random';
import { filled } from './template';

/** The other tenant, with ids, versions and cursors of the tenant under test that it could have guessed. */
export async function trespass(victim: Party, intruder: Party, end: AbortSignal): Promise<void> {
  const random = new Random(intruder.settings.seed, 'trespasser');
  const device = intruder.device();
  for (let number = 1; !end.aborted; number++) {
    await pause(random.between(20, 120), end);
    const target = victim.someDocument(random.next());
    if (!target || end.aborted) continue;
    if (random.chance(0.25)) await tryCursor(intruder, target.version);
    else
      await intruder.push(device, 'x0', 'mutation', [
        intrusion(intruder, target, random.chance(0.4) ? 'delete' : 'upsert', number),
      ]);
  }
}

function intrusion(
  { secret, settings }: Party,
  { collection, docId, version }: KnownDocument,
  operation: 'upsert' | 'delete',
  number: number,
): Outgoing {
  const template = settings.collections.find(({ name }) => name === collection)?.template ?? {};
  const marker = operation === 'delete' ? null : markerOf(secret, 'x0', number);
  const mutation = `${settings.run}-x-${String(number)}`;
  return {
    sent: { collection, docId, operation, mutation, parent: version, hlc: null, marker, flaw: null },
    wire: {
      ...{ collection, doc_id: docId, operation, mutation_id: mutation, parent_version: version },
      ...(marker === null ? {} : { data: filled(template, marker) }),
    },
  };
}

/**
 * A cursor of the one tenant means nothing to the other. Both may have generated the same stamp in the same millisecond, so
 * only one with a counter that the other's few writes do not reach proves something.
 */
async function tryCursor(intruder: Party, version: string): Promise<void> {
  const counter = Number(/Z-(\d{4})/.exec(version)?.[1] ?? '0');
  if (counter < 20 || intruder.pool.has(version)) return;
  const reply = await intruder.device().ask('pull', `/pull?since=${encodeURIComponent(version)}`);
  const isResync = reply !== null && fieldsOf(jsonOf(reply.text))['full_resync_required'] === true;
  const answer = isResync ? { status: reply.status, code: 'full_resync_required' } : answerOf(reply);
  intruder.journal.add({
    kind: 'probe',
    probe: 'unknown-cursor',
    at: intruder.journal.now(),
    answer,
    detail: `pull of the other tenant from a version of the tenant under test: ${answer?.code ?? 'no code'}`,
  });
}
