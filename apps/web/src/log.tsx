import { useEffect, useState } from 'react';
import { nameOf, signIn, type Place } from './shop.ts';

/** As much of an entry of the log as is shown. */
interface Entry {
  readonly collection: string;
  readonly doc_id: string;
  readonly operation: string;
  readonly version: string;
  readonly seq?: number;
  readonly data: unknown;
}

const SHOWN = 12;
const AGAIN_MS = 2_000;

/** The café's log as it grows, by a socket of its own: what the phones hear, before any phone makes something of it. */
export function Log({ place }: { readonly place: Place }) {
  const [entries, setEntries] = useState<readonly Entry[]>([]);

  useEffect(() => {
    let socket: WebSocket | undefined;
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let since: string | undefined;
    // Shown once a frame: thousands of entries may come in a second.
    let fresh: Entry[] = [];
    const show = (): void => {
      const newest = fresh.reverse().slice(0, SHOWN);
      fresh = [];
      setEntries((before) => [...newest, ...before].slice(0, SHOWN));
    };
    const again = (): void => {
      if (!isOver) timer = setTimeout(() => void connect(), AGAIN_MS);
    };
    const connect = async (): Promise<void> => {
      try {
        const token = await signIn('log', 'corner-cafe');
        since ??= await newest(place, token);
        if (isOver) return;
        socket = new WebSocket(new URL(place.stream, location.href).href.replace(/^http/, 'ws'));
        socket.onopen = () => socket?.send(JSON.stringify({ type: 'subscribe', token, since }));
        socket.onclose = again;
        socket.onmessage = ({ data }: MessageEvent<string>) => {
          const message = JSON.parse(data) as Entry & { readonly type?: string };
          if (message.type !== undefined) return;
          since = message.version;
          if (fresh.push(message) === 1) requestAnimationFrame(show);
        };
      } catch {
        again();
      }
    };
    void connect();
    return () => {
      isOver = true;
      clearTimeout(timer);
      socket?.close();
    };
  }, [place]);

  return (
    <section aria-label="Log of the café" className="log" tabIndex={0}>
      <h2>The log of the café</h2>
      {entries.length === 0 ? (
        <p className="empty">
          Change something on a phone: each change is one entry here, in one order for all.
        </p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">seq</th>
              <th scope="col">document</th>
              <th scope="col">what</th>
              <th scope="col">version</th>
            </tr>
          </thead>
          <tbody>
            {entries.map(({ collection, doc_id, operation, version, seq, data }) => (
              <tr key={version}>
                <td>{seq}</td>
                <td title={doc_id}>
                  {collection} <small>{nameOf(data) ?? doc_id.slice(0, 12)}</small>
                </td>
                <td>{operation}</td>
                <td>
                  <code title={version}>{version.slice(0, 17)}…</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** The end of the log, found by reading it. */
async function newest(place: Place, token: string): Promise<string | undefined> {
  let since: string | undefined;
  for (;;) {
    const query = new URLSearchParams({ limit: '1000', ...(since === undefined ? {} : { since }) });
    const answer = await fetch(`${place.sync}/pull?${query.toString()}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    if (!answer.ok) return since;
    const body = (await answer.json()) as { readonly last_seq?: string; readonly has_more?: boolean };
    since = body.last_seq ?? since;
    if (!body.has_more) return since;
  }
}
