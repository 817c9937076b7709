import type { Answer } from '../history';
import { fieldsOf, answerOf } from '../wire/parse';
import { askScope } from '../wire/socket-probe';
import { jsonOf } from '../wire/exchange';
import { markerOf } from '../wire/marker';
import type { Outgoing } from '../wire/device';
import type { KnownDocument, Party } from './party';
import { pause } from './pause';
import { Random } from './random';
import { listScopes } from './scopes';
import { filled } from './template';

/** The other tenant, with ids, versions and cursors of the tenant under test that it could have guessed. */
export async function trespass(victim: Party, intruder: Party, end: AbortSignal): Promise<void> {
  const random = new Random(intruder.settings.seed, 'trespasser');
  const device = intruder.device();
  const scope = await closedScope(victim, intruder);
  for (let number = 1; !end.aborted; number++) {
    await pause(random.between(20, 120), end);
    const target = victim.someDocument(random.next());
    if (!target || end.aborted) continue;
    if (scope !== null && random.chance(0.25))
      await tryScope(intruder, scope, intrusion(intruder, target, 'upsert', number));
    else if (random.chance(0.25)) await tryCursor(intruder, target.version);
    else
      await intruder.push(device, 'x0', 'mutation', [
        intrusion(intruder, target, random.chance(0.4) ? 'delete' : 'upsert', number),
      ]);
  }
}

/** The victim's own scope, where the server knows of scopes and does not give the intruder this one. */
async function closedScope(victim: Party, intruder: Party): Promise<string | null> {
  const [theirs, mine] = await Promise.all([victim, intruder].map(listScopes));
  const own = theirs?.find((entry) => entry['own'] === true)?.['scope'];
  if (typeof own !== 'string' || !mine || mine.some((entry) => entry['scope'] === own)) return null;
  return own;
}

/** Names the victim's scope in each call. What comes back is looked through like every other answer. */
async function tryScope(intruder: Party, scope: string, { wire }: Outgoing): Promise<void> {
  const named = `scope=${encodeURIComponent(scope)}`;
  const body = JSON.stringify({ client_id: 'x0', scope, changes: [wire] });
  for (const [what, path, sent] of [
    ['pull', `/pull?${named}`],
    ['full', `/full?${named}`],
    ['push', '/push', body],
  ] as const) {
    const at = intruder.journal.now();
    const reply = await intruder.device().ask(what, path, sent);
    record(intruder, at, what, answerOf(reply));
  }
  const { streamPath, answerLimitMs } = intruder.settings;
  const url = `${intruder.base().replace(/^http/, 'ws')}/${streamPath}`;
  const message = JSON.stringify({ type: 'subscribe', scope, token: intruder.token() });
  const at = intruder.journal.now();
  record(intruder, at, 'socket', await askScope(url, message, answerLimitMs));
}

function record({ journal }: Party, at: number, what: string, answer: Answer): void {
  const came = answer === null ? 'no answer' : `${String(answer.status)} ${answer.code ?? ''}`.trimEnd();
  const detail = `${what} that names the scope of the tenant under test: ${came}`;
  journal.add({ kind: 'probe', probe: 'foreign-scope', at, answer, detail });
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
