import { useId, type ReactNode } from 'react';
import type { Listed } from './use-list.ts';

interface PanelProps {
  readonly title: string;
  /** It waits for an answer. */
  readonly isBusy?: boolean;
  readonly children: ReactNode;
}

/** A part of the page with its heading. */
export function Panel({ title, isBusy = false, children }: PanelProps) {
  const id = useId();
  return (
    <section className="panel" aria-labelledby={id} aria-busy={isBusy}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}

interface TableProps<Row> {
  readonly title: string;
  readonly listed: Listed<Row>;
  readonly empty: string;
  readonly keyOf: (row: Row) => string;
  /** By the heads of the columns; the first one names the row. */
  readonly columns: Readonly<Record<string, (row: Row) => ReactNode>>;
  /** Below the rows. */
  readonly children?: ReactNode;
}

/**
 * A list as a table, with a face for each state. On a narrow screen each row is a card: the roles are said, because a browser
 * takes what is laid out as blocks for no table any more.
 */
export function TablePanel<Row>({ title, listed, empty, keyOf, columns, children }: TableProps<Row>) {
  const { rows, state, error, hasMore, more, reload } = listed;
  const heads = Object.keys(columns);
  return (
    <Panel title={title} isBusy={state === 'loading'}>
      {rows.length > 0 && (
        <table role="table" aria-label={title}>
          <thead role="rowgroup">
            <tr role="row">
              {heads.map((head) => (
                <th key={head} role="columnheader" scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody role="rowgroup">
            {rows.map((row) => (
              <tr key={keyOf(row)} role="row">
                {Object.entries(columns).map(([head, show], index) =>
                  index === 0 ? (
                    <th key={head} role="rowheader" scope="row" data-label={head}>
                      {show(row)}
                    </th>
                  ) : (
                    <td key={head} role="cell" data-label={head}>
                      {show(row)}
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {state === 'loading' && rows.length === 0 && <p className="empty">Loading…</p>}
      {state === 'ready' && rows.length === 0 && <p className="empty">{empty}</p>}
      {state === 'failed' && <Failed problem={error} again={reload} />}
      {hasMore && (
        <button disabled={state === 'loading'} onClick={more}>
          More
        </button>
      )}
      {children}
    </Panel>
  );
}

export function Failed({
  problem,
  again,
}: {
  readonly problem: string | undefined;
  readonly again: () => void;
}) {
  return (
    <p role="alert" className="bad">
      {problem ?? 'Something went wrong.'} <button onClick={again}>Try again</button>
    </p>
  );
}

/** How long ago, with the exact time for who looks closer. */
export function Ago({ at }: { readonly at: string | null }) {
  if (at === null) return <>–</>;
  return (
    <time dateTime={at} title={at}>
      {duration(Date.now() - Date.parse(at))} ago
    </time>
  );
}

/** In its largest unit. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [count, unit] =
    seconds < 60
      ? [seconds, 's']
      : seconds < 3600
        ? [Math.floor(seconds / 60), 'min']
        : seconds < 86_400
          ? [Math.floor(seconds / 3600), 'h']
          : [Math.floor(seconds / 86_400), 'd'];
  return `${count} ${unit}`;
}
