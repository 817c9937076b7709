/** The server's calls, as the adapters of the peers use them. */
export const PREFIX = `${location.origin}/sync`;

export const headersOf = (token) => ({
  authorization: `Bearer ${token}`,
  'content-type': 'application/json',
});

/** A page of a first load, and where the next one begins, or the cursor of the log. */
export async function fullPage(token, cursor) {
  const more = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  const answer = await fetch(`${PREFIX}/full?collections=notes&tombstones=false${more}`, {
    headers: headersOf(token),
  });
  if (!answer.ok) throw new Error(`full: ${answer.status} ${await answer.text()}`);
  const lines = (await answer.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const end = lines.pop();
  return {
    rows: lines.map(({ doc_id, data }) => ({ id: doc_id, ...data })),
    next: end.cursor ?? undefined,
    since: end.last_seq,
  };
}

export async function push(token, changes) {
  const answer = await fetch(`${PREFIX}/push`, {
    method: 'POST',
    headers: headersOf(token),
    body: JSON.stringify({ client_id: 'peer', changes }),
  });
  if (!answer.ok) throw new Error(`push: ${answer.status}`);
  const { results } = await answer.json();
  if (results.some(({ status }) => status === 'rejected')) throw new Error('A change was refused.');
}

export const upsert = ({ id, title, done, note, qty }, mutation = crypto.randomUUID()) => ({
  collection: 'notes',
  operation: 'upsert',
  doc_id: id,
  data: { title, done, note, qty },
  mutation_id: mutation,
});

/** Calls with each change after `since`; connects again while the page is there. */
export function follow(token, since, onChange) {
  let last = since;
  const connect = () => {
    const socket = new WebSocket(`${PREFIX.replace('http', 'ws')}/stream`);
    socket.onopen = () =>
      socket.send(
        JSON.stringify({ type: 'subscribe', token, since: last, collections: ['notes'], ack: true }),
      );
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type !== undefined || !message.data) return;
      last = message.version;
      onChange({ id: message.doc_id, ...message.data }, last);
    };
    socket.onclose = () => setTimeout(connect, 1_000);
  };
  connect();
}
