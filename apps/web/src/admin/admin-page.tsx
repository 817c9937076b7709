import { useState } from 'react';
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
  // Others for each refresh: what is shown stays until they have answered, so that nothing jumps.
  const [routes, setRoutes] = useState(routesOfTab);

  const signIn = (token: string): void => {
    sessionStorage.setItem(KEPT, token);
    setRoutes(routesOfTab());
  };
  const signOut = (): void => {
    sessionStorage.removeItem(KEPT);
    setRoutes(undefined);
  };

  return (
    <div className="admin">
      <header className="top">
        <h1>What an operator sees</h1>
        {routes && (
          <p className="act">
            <button className="main" onClick={() => setRoutes(routesOfTab())}>
              Refresh
            </button>
            <button onClick={signOut}>Sign out</button>
          </p>
        )}
      </header>
      <main>
        {routes ? (
          <>
            <SystemStatus routes={routes} />
            <RefusedChanges routes={routes} />
            <Devices routes={routes} />
            <Scopes routes={routes} />
            <Verify routes={routes} />
          </>
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

function routesOfTab(): Routes | undefined {
  const token = sessionStorage.getItem(KEPT);
  return token === null ? undefined : new Routes(token);
}
