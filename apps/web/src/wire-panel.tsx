import { useState, useSyncExternalStore } from 'react';
import type { Step, Wire } from './network.ts';

/** What the phones and the server say to each other. */
export function WirePanel({ wire }: { readonly wire: Wire }) {
  const steps = useSyncExternalStore(
    (changed) => wire.subscribe(changed),
    () => wire.current,
  );
  return (
    <section aria-label="Wire" className="wire" tabIndex={0}>
      <h2>On the wire</h2>
      {steps.map((step) => (
        <Exchange key={step.id} step={step} />
      ))}
    </section>
  );
}

/** Its JSON, which may be large, is written only for who looks at it. */
function Exchange({ step: { who, what, body } }: { readonly step: Step }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>
        <b>{who}</b> {what}
      </summary>
      {isOpen && <pre tabIndex={0}>{JSON.stringify(body, null, 2)}</pre>}
    </details>
  );
}
