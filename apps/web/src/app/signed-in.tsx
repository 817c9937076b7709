import { AuthError, LoggedOutError } from 'nest-offline-sync-client';
import { useCallback, useEffect, useMemo, useState } from 'react';
import type { Installation } from './installation.ts';
import type { Session } from './session.ts';
import { shopClient } from './shop-client.ts';
import { ShopPage } from './shop-page.tsx';

type State =
  { readonly is: 'opening' } | { readonly is: 'open' } | { readonly is: 'failed'; readonly error: unknown };

/** Opens the client of a session, and shows the shop while it is open. */
export function SignedIn({
  session,
  installation,
  onLeave,
}: {
  readonly session: Session;
  readonly installation: Installation;
  /** @param reason why it is over, if this tab has not asked for it */
  readonly onLeave: (reason?: unknown) => void;
}) {
  // Of another token of the same user, nothing is made again.
  const client = useMemo(() => shopClient(session), [session]);
  const [state, setState] = useState<State>({ is: 'opening' });
  const [lost, setLost] = useState(0);

  const open = useCallback(async () => {
    setState({ is: 'opening' });
    try {
      await client.open();
      setState({ is: 'open' });
    } catch (error) {
      if (error instanceof AuthError) onLeave(error);
      else setState({ is: 'failed', error });
    }
  }, [client, onLeave]);

  useEffect(() => {
    const ends = [
      client.on('ended', (error) =>
        error instanceof LoggedOutError ? onLeave(error) : setState({ is: 'failed', error }),
      ),
      client.on('storage-lost', ({ pendingLost }) => setLost(pendingLost)),
    ];
    void open();
    return () => {
      for (const end of ends) end();
      void client.close();
    };
  }, [client, open, onLeave]);

  if (state.is === 'failed')
    return (
      <main role="alert">
        <h1>The data of this device cannot be used</h1>
        <p>{state.error instanceof Error ? state.error.message : String(state.error)}</p>
        <p>
          <button className="main" onClick={() => void open()}>
            Open again
          </button>{' '}
          <button onClick={() => location.reload()}>Reload the app</button>
        </p>
      </main>
    );
  return (
    <>
      {lost > 0 && (
        <p role="alert" className="notice bad">
          <span>
            The browser has cleared this device’s data. {lost} changes that were not sent went with it.
          </span>
          <button className="plain" aria-label="Close this message" onClick={() => setLost(0)}>
            ×
          </button>
        </p>
      )}
      {state.is === 'open' && (
        <ShopPage client={client} session={session} installation={installation} onLeave={() => onLeave()} />
      )}
    </>
  );
}
