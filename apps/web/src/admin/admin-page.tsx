import { useMemo, useState } from 'react';
import { Devices } from './devices.tsx';
import { RefusedChanges } from './refused-changes.tsx';
import { Routes } from './routes.ts';
import { Scopes } from './scopes.tsx';
import { SignIn } from './sign-in.tsx';
import { SystemStatus } from './system-status.tsx';
import { Verify } from './verify.tsx';

/** For as long as the tab is open: in another one an operator signs in again. */
const KEPT = 'admin-token';

export function AdminPage() {
  const [token, setToken] = useState(() => sessionStorage.getItem(KEPT));
  const [round, setRound] = useState(0);
  const routes = useMemo(() => (token === null ? undefined : new Routes(token)), [token]);

  const signIn = (fresh: string): void => {
    sessionStorage.setItem(KEPT, fresh);
    setToken(fresh);
  };
  const signOut = (): void => {
    sessionStorage.removeItem(KEPT);
    setToken(null);
  };

  return (
    <div className="admin">
      <header className="top">
        <h1>What an operator sees</h1>
        {routes && (
          <p className="act">
            <button className="main" onClick={() => setRound(round + 1)}>
              Refresh
            </button>
            <button onClick={signOut}>Sign out</button>
          </p>
        )}
      </header>
      <main>
        {routes ? (
          // What is shown belongs to one moment: a refresh asks for everything again.
          <div key={round}>
            <SystemStatus routes={routes} />
            <RefusedChanges routes={routes} />
            <Devices routes={routes} />
            <Scopes routes={routes} />
            <Verify routes={routes} />
          </div>
        ) : (
          <SignIn onToken={signIn} />
        )}
      </main>
      <footer className="bottom">
        <a href="/">The phones</a> <a href="/docs">API</a>
      </footer>
    </div>
  );
}
