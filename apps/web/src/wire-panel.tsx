import { useSyncExternalStore } from 'react';
import type { Wire } from './network.ts';

/** What the phones and the server say to each other. */
export function WirePanel({ wire }: { readonly wire: Wire }) {
  const steps = useSyncExternalStore(
    (changed) => wire.subscribe(changed),
    () => wire.current,
  );
  return (
    <section aria-label="Wire" className="wire">
      <h2>On the wire</h2>
      {steps.map(({ id, who, what, body }) => (
        <details key={id}>
          <summary>
            <b>{who}</b> {what}
          </summary>
          <pre tabIndex={0}>{JSON.stringify(body, null, 2)}</pre>
        </details>
      ))}
    </section>
  );
}
