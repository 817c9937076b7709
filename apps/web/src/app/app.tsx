import { LoggedOutError } from 'nest-offline-sync-client';
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import type { Installation } from './installation.ts';
import { readSession, watchSession, writeSession, type Session } from './session.ts';
import { SignIn } from './sign-in.tsx';
import { SignedIn } from './signed-in.tsx';

/** The shop on one device: who is signed in sees it, the others can sign in. */
export function App({ installation }: { readonly installation: Installation }) {
  /** Null: nobody. Undefined: not known yet. */
  const [session, setSession] = useState<Session | null>();
  const [failure, setFailure] = useState('');
  const isOutdated = useSyncExternalStore(
    useCallback((changed) => installation.subscribe(changed), [installation]),
    () => installation.isOutdated,
  );

  useEffect(() => {
    const read = (): void =>
      void readSession().then(
        // Another token of the same user is no other session.
        (now) => setSession((before) => (before && isSame(before, now) ? before : (now ?? null))),
        (error: unknown) => setFailure(String(error)),
      );
    read();
    return watchSession(read);
  }, []);

  const signIn = (next: Session): void => void writeSession(next).then(() => setSession(next));
  const leave = useCallback((reason?: unknown) => {
    if (reason instanceof LoggedOutError) return setSession(null);
    void writeSession(undefined).then(() => setSession(null));
  }, []);

  return (
    <>
      {isOutdated && (
        <p className="notice" role="status">
          <span>A new version of the app is here. What you have not sent stays.</span>
          <button className="main" onClick={() => installation.update()}>
            Update
          </button>
        </p>
      )}
      {failure !== '' && <Unusable message={failure} />}
      {session === null && <SignIn onSignIn={signIn} />}
      {session && (
        <SignedIn
          key={`${session.business}/${session.user}`}
          session={session}
          installation={installation}
          onLeave={leave}
        />
      )}
    </>
  );
}

function Unusable({ message }: { readonly message: string }) {
  return (
    <main role="alert">
      <h1>This browser keeps nothing</h1>
      <p>
        The app needs IndexedDB, and could not open it: {message}. Private windows of some browsers refuse it.
      </p>
    </main>
  );
}

function isSame(a: Session, b: Session | undefined): boolean {
  return a.user === b?.user && a.business === b.business;
}
