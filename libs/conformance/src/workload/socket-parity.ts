import type { Answer } from '../history';
import { PushSocket } from '../wire/push-socket';
import { answerOf } from '../wire/parse';
import type { Party } from './party';

/** Pushes that are refused as a whole: the envelope says why, and nothing of them is written. */
const REFUSED: readonly (readonly [what: string, body: object])[] = [
  ['no changes', { client_id: 'probe', changes: [] }],
  ['changes that are no list', { client_id: 'probe', changes: {} }],
  ['no client', { changes: [{}] }],
  ['a client of 200 bytes', { client_id: 'p'.repeat(200), changes: [{}] }],
  ['an unknown atomicity', { client_id: 'probe', atomic: 'some', changes: [{}] }],
  ['a scope that is no text', { client_id: 'probe', scope: 7, changes: [{}] }],
  ['a scope that nobody has', { client_id: 'probe', scope: 'nosc-nobody', changes: [{}] }],
  ['another identity', { client_id: 'probe', expected_identity: 'nosc-somebody-else-22', changes: [{}] }],
];

/** The same push over HTTP and over the socket: a refusal has the same code, and the socket stays open for the next. */
export async function compareRefusals(party: Party): Promise<void> {
  const { journal, settings } = party;
  const device = party.device();
  const socket = new PushSocket(device, settings.streamPath);
  for (const [what, body] of REFUSED) {
    const at = journal.now();
    const expected: Answer = answerOf(await device.ask('push', '/push', JSON.stringify(body)));
    const { answer } = await socket.push(body);
    journal.add({ kind: 'probe', probe: 'socket-push', at, answer, expected, detail: `a push with ${what}` });
  }
  socket.close();
}
