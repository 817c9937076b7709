import { useObservable, useStatus } from 'nest-offline-sync-client/react';
import { useEffect, useState } from 'react';
import { EditFailures } from '../edit-failures.tsx';
import { Orders } from '../orders.tsx';
import { Refused } from '../refused.tsx';
import type { Shop } from '../shop.ts';
import { StatusLine } from '../status-line.tsx';
import { Stock } from '../stock.tsx';
import { Tasks } from '../tasks.tsx';
import { BUSINESSES } from './businesses.ts';
import type { Installation } from './installation.ts';
import type { Session } from './session.ts';
import { SignOut } from './sign-out.tsx';
import { SyncNotice } from './sync-notice.tsx';

const VIEWS = { Tasks, Stock, Orders } as const;
type View = keyof typeof VIEWS;

/** The lists of the shop, how they stand, and the way out. */
export function ShopPage({
  client,
  session,
  installation,
  onSignedOut,
  onSignInAgain,
}: {
  readonly client: Shop;
  readonly session: Session;
  readonly installation: Installation;
  readonly onSignedOut: () => void;
  readonly onSignInAgain: () => void;
}) {
  const [view, setView] = useState<View>('Tasks');
  const status = useStatus(client);
  const refused = useObservable(client.rejected.live());
  const List = VIEWS[view];

  const waits = status.pending > 0;
  useEffect(() => (waits ? installation.sendWithoutPage() : undefined), [waits, installation]);

  return (
    <>
      <header>
        <div>
          <h1>{view}</h1>
          <p>
            {session.user}, {BUSINESSES[session.business] ?? session.business}
          </p>
        </div>
        <SignOut client={client} onLeave={onSignedOut} />
      </header>
      <nav aria-label="Lists">
        {(Object.keys(VIEWS) as View[]).map((name) => (
          <button key={name} aria-pressed={name === view} onClick={() => setView(name)}>
            {name}
          </button>
        ))}
      </nav>
      <main className="list">
        <EditFailures>
          {refused.length > 0 && <Refused client={client} entries={refused} />}
          <List client={client} />
        </EditFailures>
      </main>
      {/* Below the list, which does not move when the network comes and goes. */}
      <div className="foot">
        <SyncNotice client={client} status={status} onSignInAgain={onSignInAgain} />
        <StatusLine status={status} />
      </div>
    </>
  );
}
