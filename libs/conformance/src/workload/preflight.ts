import type { Device, Outgoing } from '../wire/device';
import { markerOf, ownId } from '../wire/marker';
import type { WorkloadCollection } from './options';
import { ownersOf } from './owners';
import { HOT_DOCS } from './push-plan';
import { WorkloadError } from './settings';
import type { Party } from './party';
import { pause } from './pause';
import { filled } from './template';

const TRIES = 5;

/**
 * One document into each collection, and those that are only patched, before the run begins.
 *
 * @throws WorkloadError when no server answers, or one refuses what the run would send
 */
export async function preflight(party: Party): Promise<void> {
  const { settings } = party;
  const device = party.device();
  const { first: owner, hotOwner } = ownersOf(party);
  const changes = party.collections.flatMap((collection, index) => [
    made(party, collection, ownId(collection.ids, party.idRun, owner, index), index * 10),
    ...Array.from({ length: party.patchable.has(collection.name) ? HOT_DOCS : 0 }, (_, hot) =>
      made(party, collection, ownId(collection.ids, party.idRun, hotOwner, hot), index * 10 + hot + 1),
    ),
  ]);
  const { answer, results } = await push(party, device, changes);
  const who = party.tenant === 'main' ? 'the token' : 'the token of the other tenant';
  if (answer === null)
    throw new WorkloadError(
      `No answer from ${settings.urls.join(', ')}. Is the server up, and is this the base URL of ` +
        `/${settings.prefix}/push is?`,
    );
  if (answer.status === 401 || answer.status === 403)
    throw new WorkloadError(
      `The server refuses ${who}: ${String(answer.status)} ${answer.code ?? ''}. Get a fresh one.`,
    );
  if (answer.status !== 200 || results === null)
    throw new WorkloadError(
      `POST /${settings.prefix}/push answers ${String(answer.status)} ${answer.code ?? ''}. Is this the right URL and prefix?`,
    );
  results.forEach(({ status, code }, index) => {
    if (status === 'rejected')
      throw new WorkloadError(
        `${changes[index]?.sent.collection ?? ''} refuses a document with ${String(code)}. ` +
          'Give data that the collection accepts, and ids of its type.',
      );
  });
}

async function push(party: Party, device: Device, changes: readonly Outgoing[]) {
  for (let tries = 1; ; tries++) {
    const event = await party.push(device, 'preflight', 'mutation', changes);
    const open = event.answer === null || event.answer.status === 503;
    if (!open || tries >= TRIES) return event;
    await pause(200 * tries);
  }
}

function made(party: Party, { name, template }: WorkloadCollection, docId: string, number: number): Outgoing {
  const marker = markerOf(party.secret, 'preflight', number);
  const mutation = `${party.settings.run}-preflight-${String(number)}`;
  return {
    sent: {
      ...{
        collection: name,
        docId,
        operation: 'upsert',
        mutation,
        parent: null,
        hlc: null,
        marker,
        flaw: null,
      },
    },
    wire: {
      ...{ collection: name, doc_id: docId, operation: 'upsert', mutation_id: mutation },
      data: filled(template, marker),
    },
  };
}
