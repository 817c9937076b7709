import { useEffect, useRef, useState, type ReactNode } from 'react';

/** A line of a list, which lights up when it has come or changed while somebody looks. */
export function Row({
  id,
  value,
  isNew,
  className = '',
  children,
}: {
  readonly id: string | number;
  /** What it shows. */
  readonly value: unknown;
  readonly isNew: boolean;
  readonly className?: string;
  readonly children: ReactNode;
}) {
  const text = JSON.stringify(value);
  const [shown, setShown] = useState({ text, changes: isNew ? 1 : 0 });
  if (shown.text !== text) setShown({ text, changes: shown.changes + 1 });
  // Another name each time, or the browser would not begin again.
  const light = shown.changes === 0 ? '' : shown.changes % 2 === 1 ? 'lit' : 'lit again';
  return (
    <li data-id={id} className={`${className} ${light}`.trim()}>
      {children}
    </li>
  );
}

/** Whether a list was complete when it was shown last: what comes after that is new. */
export function useWasComplete(complete: boolean): boolean {
  const before = useRef(false);
  useEffect(() => {
    before.current = complete;
  });
  return before.current;
}
