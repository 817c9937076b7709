import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import type { Installation } from './installation.ts';
import { lastUser, readSession, watchSession, writeSession, type Session } from './session.ts';
import { SignIn, type Away } from './sign-in.tsx';
import { SignedIn } from './signed-in.tsx';
import { NoStorage } from './unusable.tsx';

/** The shop on one device: who is signed in sees it, the others can sign in. */
export function App({ installation }: { readonly installation: Installation }) {
  /** Undefined: not known yet. */
  const [session, setSession] = useState<Session | Away>();
  const [failure, setFailure] = useState<unknown>();
  const isOutdated = useSyncExternalStore(
    useCallback((changed) => installation.subscribe(changed), [installation]),
    () => installation.isOutdated,
  );

  useEffect(() => {
    const read = (): void =>
      void readSession().then((now) => setSession((before) => next(before, now)), setFailure);
    read();
    return watchSession(read);
  }, []);

  const signIn = async (entered: Session): Promise<void> => {
    await writeSession(entered);
    setSession(entered);
  };

  if (failure !== undefined && !session) return <NoStorage error={failure} />;
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
      {session && 'why' in session && <SignIn away={session} onSignIn={signIn} />}
      {session && !('why' in session) && (
        <SignedIn
          key={`${session.business}/${session.user}`}
          session={session}
          installation={installation}
          onLeave={setSession}
        />
      )}
    </>
  );
}

/** @param now what is kept on this device */
function next(before: Session | Away | undefined, now: Session | undefined): Session | Away {
  const isIn = before && !('why' in before);
  if (!now) return before && !isIn ? before : { why: lastUser() ? 'cleared' : 'out', lost: 0 };
  // Another token of the same user is no other session.
  return isIn && before.user === now.user && before.business === now.business ? before : now;
}
