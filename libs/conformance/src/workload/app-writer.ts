import { answerOf } from '../wire/parse';
import { markerOf } from '../wire/marker';
import type { AppWrite } from './options';
import type { Party } from './party';
import { pause } from './pause';
import { Random } from './random';
import { filled } from './template';

/** Asks the app to write. What was not answered is not sent again: the route may not support retries. */
export async function writeThroughTheApp(party: Party, route: AppWrite, end: AbortSignal): Promise<void> {
  const { journal, settings, tenant, secret } = party;
  const random = new Random(settings.seed, `${tenant} app`);
  const device = party.device();
  for (let number = 1; !end.aborted; number++) {
    const marker = markerOf(secret, 'app', number);
    const sentAt = journal.now();
    const body = JSON.stringify(filled(route.body, marker));
    const answer = answerOf(await device.askRaw('app-write', route.path, route.method, body));
    journal.add({ kind: 'app-write', tenant, sentAt, answeredAt: journal.now(), answer, marker });
    await pause(random.between(5, 60), end);
  }
}
