import type { Answer, Probe } from '../history';
import { exchange, jsonOf } from '../wire/exchange';
import { forged, unsigned } from '../wire/forged';
import { answerOf, fieldsOf } from '../wire/parse';
import { askSocket } from '../wire/socket-probe';
import type { Party } from './party';

const SOCKET_LIMIT_MS = 10_000;
/** More than any deployment takes; each of them is three bytes. */
const TOO_MANY = 100_001;

interface Question {
  readonly probe: Probe;
  readonly what: string;
  readonly ask: () => Promise<Answer>;
}

/**
 * Requests that must be refused, or bounded, in a known way.
 *
 * @param heavy whether to send what is too large as well
 */
export async function probe(party: Party, heavy: boolean): Promise<void> {
  const { journal } = party;
  for (const { probe: kind, what, ask } of [...light(party), ...(heavy ? tooLarge(party) : [])]) {
    const at = journal.now();
    const answer = await ask();
    const came = answer === null ? 'no answer' : `${String(answer.status)} ${answer.code ?? ''}`.trimEnd();
    journal.add({ kind: 'probe', probe: kind, at, answer, detail: `${what}: ${came}` });
  }
}

function light(party: Party): Question[] {
  const token = party.token();
  const unknown = encodeURIComponent(neverWritten(party));
  const http = (probe: Probe, what: string, path: string, as: string | null, body?: string): Question => ({
    probe,
    what: `${what} ${path.startsWith('/pull?since=') ? '/pull?since=…' : path}`,
    ask: () => overHttp(party, path, as, body),
  });
  const socket = (probe: Probe, what: string, message: object | string): Question => ({
    probe,
    what: `socket: ${what}`,
    ask: () => overSocket(party, typeof message === 'string' ? message : JSON.stringify(message)),
  });
  const nothing = JSON.stringify({ client_id: 'probe', changes: [] });
  return [
    http('without-token', 'no token', '/pull', null),
    http('without-token', 'no token', '/full', null),
    http('without-token', 'no token', '/push', null, nothing),
    socket('without-token', 'no token', { type: 'subscribe' }),
    http('forged-token', 'another signature', '/pull', forged(token)),
    http('forged-token', 'another signature', '/push', forged(token), nothing),
    http('forged-token', 'no signature', '/full', unsigned(token)),
    socket('forged-token', 'another signature', { type: 'subscribe', token: forged(token) }),
    http('unknown-cursor', 'a version that was never written', `/pull?since=${unknown}`, token),
    socket('unknown-cursor', 'a version that was never written', {
      type: 'subscribe',
      token,
      since: neverWritten(party),
    }),
    http('malformed-cursor', 'no version', '/pull?since=yesterday', token),
    socket('malformed-cursor', 'no version', { type: 'subscribe', token, since: 'yesterday' }),
    ...['/pull?limit=0', '/pull?limit=-1', '/pull?limit=1000000000', '/pull?limit=ten', '/full?limit=-1'].map(
      (path) => http('limit-out-of-range', 'limit', path, token),
    ),
    http('malformed-body', 'half a body', '/push', token, '{"client_id":'),
    http('malformed-body', 'an array', '/push', token, '[]'),
    http('malformed-body', 'no changes', '/push', token, '{"client_id":"probe"}'),
    socket('malformed-body', 'no JSON', 'subscribe'),
  ];
}

function tooLarge(party: Party): Question[] {
  const token = party.token();
  const { maxPushBytes, collections } = party.settings;
  return [
    {
      probe: 'too-many-changes',
      what: `push of ${String(TOO_MANY)} changes`,
      ask: () =>
        overHttp(party, '/push', token, `{"client_id":"probe","changes":[${'{},'.repeat(TOO_MANY - 1)}{}]}`),
    },
    {
      probe: 'too-large',
      what: 'push of a document beyond the size of a push',
      ask: () =>
        overHttp(
          party,
          '/push',
          token,
          JSON.stringify({
            client_id: 'probe',
            changes: [
              {
                ...{ collection: collections[0]?.name, operation: 'upsert', doc_id: 'nosc-too-large' },
                data: { text: 'x'.repeat(maxPushBytes) },
              },
            ],
          }),
        ),
    },
  ];
}

async function overHttp(party: Party, path: string, token: string | null, body?: string): Promise<Answer> {
  const { prefix, answerLimitMs } = party.settings;
  const reply = await exchange(`${party.base()}/${prefix}${path}`, {
    token,
    limitMs: answerLimitMs,
    ...(body === undefined ? {} : { body }),
  });
  const isResync = reply !== null && fieldsOf(jsonOf(reply.text))['full_resync_required'] === true;
  return isResync ? { status: reply.status, code: 'full_resync_required' } : answerOf(reply);
}

function overSocket(party: Party, message: string): Promise<Answer> {
  const { streamPath, answerLimitMs } = party.settings;
  const url = `${party.base().replace(/^http/, 'ws')}/${streamPath}`;
  return askSocket(url, message, Math.min(answerLimitMs, SOCKET_LIMIT_MS));
}

/** A well-formed stamp among those of the scope, of a node that is none of the deployment's. */
function neverWritten(party: Party): string {
  const version = party.recentVersion(0) ?? '20200101T000000.000Z-0000';
  return `${version.split('-').slice(0, 2).join('-')}-nosc`;
}
