/** What the same takes at least in this browser, against the same server: without a client. */
import { callsOf, digestOf, now, type Device, type Note, type Setup } from './device.ts';

interface Line {
  readonly doc_id: string;
  readonly version: string;
  readonly data: Note;
}

const SEGMENT = 200;
const STORE = 'rows';
const PREFIX = `${location.origin}/sync`;
let held: Line[] = [];

function headersOf({ token }: Setup): Record<string, string> {
  return { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
}

async function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('The request failed.'));
  });
}

async function database(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return settled(request);
}

/** The texts of the pages, and where the next one begins. */
async function pages(setup: Setup): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const more = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const answer = await fetch(`${PREFIX}/full?collections=notes&tombstones=false&limit=10000${more}`, {
      headers: headersOf(setup),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    found.push(text);
    const lastLine = text.slice(text.lastIndexOf('\n', text.length - 2) + 1);
    cursor = (JSON.parse(lastLine) as { cursor: string | null }).cursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}

const linesOf = (text: string): Line[] =>
  text
    .split('\n')
    .slice(0, -2)
    .map((line) => JSON.parse(line) as Line);

async function socketOf(setup: Setup): Promise<WebSocket> {
  const socket = new WebSocket(`${PREFIX.replace('http', 'ws')}/stream`);
  await new Promise((resolve) => (socket.onopen = resolve));
  const subscribed = new Promise((resolve) => (socket.onmessage = resolve));
  socket.send(JSON.stringify({ type: 'subscribe', token: setup.token, ack: true, collections: ['notes'] }));
  await subscribed;
  return socket;
}

let socket: WebSocket | undefined;
let channel: BroadcastChannel | undefined;
const seen: [string, number][] = [];

const limits = {
  /** Fetched, then parsed and stored: 200 rows a record, a transaction a page. Milliseconds of both. */
  async load(
    setup: Setup,
  ): Promise<{ readonly fetch: number; readonly store: number; readonly digest: string }> {
    const start = performance.now();
    const texts = await pages(setup);
    const fetched = performance.now();
    const connection = await database(setup.name);
    held = [];
    for (const text of texts) {
      const lines = linesOf(text);
      for (const line of lines) held.push(line);
      const transaction = connection.transaction([STORE], 'readwrite', { durability: 'relaxed' });
      const ended = new Promise((resolve) => (transaction.oncomplete = resolve));
      const store = transaction.objectStore(STORE);
      for (let at = 0; at < lines.length; at += SEGMENT)
        store.put(lines.slice(at, at + SEGMENT), lines[at]?.doc_id ?? '');
      await ended;
    }
    const stored = performance.now();
    connection.close();
    return {
      fetch: fetched - start,
      store: stored - fetched,
      digest: digestOf(held.map((line) => [line.doc_id, line.data] as const)),
    };
  },
  /** What was stored, read back. */
  async start(setup: Setup, count: number): Promise<number> {
    const start = performance.now();
    const connection = await database(setup.name);
    const store = connection.transaction(STORE).objectStore(STORE);
    const rows = ((await settled(store.getAll())) as Line[][]).flat();
    const ms = performance.now() - start;
    connection.close();
    if (rows.length !== count) throw new Error(`${rows.length} of ${count} are there.`);
    return ms;
  },
  /** One request, and its answer. */
  async flush(setup: Setup, notes: readonly (readonly [id: string, note: Note])[]): Promise<number> {
    const changes = notes.map(([doc_id, data]) => ({
      collection: 'notes',
      operation: 'upsert',
      doc_id,
      data,
      mutation_id: crypto.randomUUID(),
    }));
    const start = performance.now();
    const answer = await fetch(`${PREFIX}/push`, {
      method: 'POST',
      headers: headersOf(setup),
      body: JSON.stringify({ client_id: setup.name, changes }),
    });
    const { results } = (await answer.json()) as { results: { status: string }[] };
    if (!results.every(({ status }) => status === 'accepted')) throw new Error('Not everything was taken.');
    return performance.now() - start;
  },
  /** A bare socket that notes what comes. */
  async listen(setup: Setup): Promise<void> {
    socket = await socketOf(setup);
    socket.onmessage = ({ data }) => {
      const { doc_id: id, data: note } = JSON.parse(String(data)) as { doc_id?: string; data?: Note };
      if (id !== undefined && note) seen.push([`${id} ${note.qty}`, now()]);
    };
  },
  seen: () => seen,
  async edit(
    setup: Setup,
    ids: readonly string[],
    first: number,
    pauseMs: number,
  ): Promise<[string, number][]> {
    socket ??= await socketOf(setup);
    const answers: string[] = [];
    const answered = new Promise<void>((resolve) => {
      (socket as WebSocket).onmessage = ({ data }) => {
        if (String(data).includes('"type":"push')) answers.push(String(data));
        if (answers.length === ids.length) resolve();
      };
    });
    const begun: [string, number][] = [];
    for (const [at, id] of ids.entries()) {
      const qty = first + at;
      begun.push([`${id} ${qty}`, now()]);
      const change = {
        collection: 'notes',
        operation: 'patch',
        doc_id: id,
        data: { qty },
        mutation_id: crypto.randomUUID(),
      };
      socket.send(JSON.stringify({ type: 'push', id: at, client_id: setup.name, changes: [change] }));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    await answered;
    const refused = answers.find((answer) => !/"status":"(accepted|conflict_resolved)"/.test(answer));
    if (refused !== undefined) throw new Error(`Not everything was taken: ${refused}`);
    return begun;
  },
  /** A message from tab to tab. */
  hear(name: string): void {
    channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }) => seen.push([String(data), now()]);
  },
  async say(name: string, count: number, pauseMs: number): Promise<[string, number][]> {
    channel = new BroadcastChannel(name);
    const begun: [string, number][] = [];
    for (let at = 0; at < count; at++) {
      begun.push([String(at), now()]);
      channel.postMessage(String(at));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    return begun;
  },
};
export type Limits = typeof limits;

Object.assign(globalThis, { limits, calls: callsOf({} as Device) });
