import type { RefusedChange, RefusedEntry } from 'nest-offline-sync-client';
import { useEdit } from './edit-failures.tsx';
import { nameOf, type Shop } from './shop.ts';

/** What the server refused: nothing of it is lost, and a person decides. */
export function Refused({
  client,
  entries,
}: {
  readonly client: Shop;
  readonly entries: readonly RefusedEntry[];
}) {
  const edit = useEdit();
  return (
    <section className="refused" aria-label="Refused changes">
      {entries.map((entry) => (
        <article key={entry.id}>
          <p>
            <b>{TITLES[entry.code] ?? 'The server did not take this change.'}</b> <code>{entry.code}</code>
          </p>
          {entry.changes.map((change) => (
            <Sides key={change.mutation} change={change} />
          ))}
          <p>
            <button onClick={() => void edit(client.rejected.retry(entry.id))}>Keep mine</button>
            <button onClick={() => void edit(client.rejected.discard(entry.id))}>Take theirs</button>
          </p>
        </article>
      ))}
    </section>
  );
}

const TITLES: Readonly<Record<string, string>> = {
  conflict_stale: 'Somebody else was faster.',
  conflict_deleted: 'Somebody has deleted this meanwhile.',
  validation_failed: 'Something in this is not allowed.',
};

/** The fields that differ, side by side. */
function Sides({ change: { collection, mine, theirs, base } }: { readonly change: RefusedChange }) {
  const fields = new Set([...Object.keys(mine ?? {}), ...Object.keys(theirs ?? base ?? {})]);
  const text = (value: unknown): string => (value === undefined ? '–' : JSON.stringify(value));
  const differ = [...fields].filter(
    (field) => text((mine ?? {})[field]) !== text((theirs ?? base ?? {})[field]) && !field.endsWith('At'),
  );
  return (
    <table>
      <caption>{nameOf(mine ?? base ?? theirs) ?? collection}</caption>
      <thead>
        <tr>
          <th scope="col">Field</th>
          <th scope="col">Mine</th>
          <th scope="col">Theirs</th>
        </tr>
      </thead>
      <tbody>
        {differ.map((field) => (
          <tr key={field}>
            <th scope="row">{field}</th>
            <td>{mine === null ? 'deleted' : text(mine[field])}</td>
            <td>{theirs === null ? 'deleted' : text((theirs ?? base ?? {})[field])}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
