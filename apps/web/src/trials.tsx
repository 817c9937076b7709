import { useState } from 'react';
import { signIn } from './shop.ts';

/** What one does to a server to see whether one can trust it. */
export function Trials() {
  const [told, setTold] = useState('');
  const [busy, setBusy] = useState(false);

  const kill = async (): Promise<void> => {
    await fetch('/demo/kill', { method: 'POST' });
    setTold(
      'The server process is dead. Another one starts; the phones go on, and send what they have then.',
    );
  };
  const fill = async (): Promise<void> => {
    setTold('Adding 10,000 products…');
    const token = await signIn('counter', 'corner-cafe');
    const answer = await fetch('/demo/products', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    setTold(answer.ok ? '10,000 products are on the shelf, on every phone.' : 'The server did not add them.');
  };
  const run = (act: () => Promise<void>) => (): void => {
    setBusy(true);
    act()
      .catch(() => setTold('The server cannot be reached just now.'))
      .finally(() => setBusy(false));
  };

  return (
    <>
      <button disabled={busy} onClick={run(kill)}>
        Kill the server
      </button>
      <button disabled={busy} onClick={run(fill)}>
        10,000 products
      </button>
      <span role="status">{told}</span>
    </>
  );
}
