import { AuthError, LoggedOutError, StorageLostError } from 'nest-offline-sync-client';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { lostChanges } from '../lost.ts';
import type { Installation } from './installation.ts';
import { readSession, writeSession, type Session } from './session.ts';
import { shopClient } from './shop-client.ts';
import { ShopPage } from './shop-page.tsx';
import type { Away } from './sign-in.tsx';
import { Unusable } from './unusable.tsx';

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
  readonly onLeave: (away: Away) => void;
}) {
  // Of another token of the same user, nothing is made again.
  const client = useMemo(() => shopClient(session), [session]);
  const [state, setState] = useState<State>({ is: 'opening' });
  const [lost, setLost] = useState(0);

  /** @param unsent what waited in a database that is gone */
  const open = useCallback(
    async (unsent = 0) => {
      try {
        await client.open();
        const { pending, rejected } = client.status.current;
        setLost((told) => Math.max(told, unsent - pending - rejected));
        setState({ is: 'open' });
      } catch (error) {
        if (!(error instanceof AuthError)) return setState({ is: 'failed', error });
        const kept = await readSession();
        onLeave(kept ? { why: 'refused', lost: 0 } : { why: 'cleared', lost: unsent });
      }
    },
    [client, onLeave],
  );

  useEffect(() => {
    let unsent = 0;
    let hasOpenedAgain = false;
    const ended = (error: unknown): void => {
      if (error instanceof LoggedOutError) return onLeave({ why: 'out', lost: 0 });
      if (!(error instanceof StorageLostError) || hasOpenedAgain) return setState({ is: 'failed', error });
      // Opening says what has become of it. The page stays, with what is being typed.
      hasOpenedAgain = true;
      void open(unsent);
    };
    const ends = [
      client.status.subscribe(({ phase, pending, rejected }) => {
        if (phase !== 'closed') unsent = pending + rejected;
      }),
      client.on('ended', ended),
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
      <Unusable
        error={state.error}
        onAgain={() => {
          setState({ is: 'opening' });
          void open();
        }}
      />
    );
  return (
    <>
      {lost > 0 && (
        <p role="alert" className="notice bad">
          <span>The browser has removed the data of this device. {lostChanges(lost)}</span>
          <button className="plain" aria-label="Close this message" onClick={() => setLost(0)}>
            ×
          </button>
        </p>
      )}
      {state.is === 'open' && (
        <ShopPage
          client={client}
          session={session}
          installation={installation}
          onSignedOut={() => void writeSession(undefined).then(() => onLeave({ why: 'out', lost: 0 }))}
          onSignInAgain={() => onLeave({ why: 'refused', lost: 0 })}
        />
      )}
    </>
  );
}
