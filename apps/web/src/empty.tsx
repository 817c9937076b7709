import { useStatus } from 'nest-offline-sync-client/react';
import type { Shop } from './shop.ts';

/** What a list shows without rows: that there are none, or why they are not here yet. */
export function Empty({
  client,
  complete,
  what,
}: {
  readonly client: Shop;
  readonly complete: boolean;
  readonly what: string;
}) {
  const { phase, progress } = useStatus(client);
  if (complete) return <p className="empty">No {what}.</p>;
  if (phase === 'offline')
    return <p className="empty">The {what} are not on this device yet: they come with the network.</p>;
  return (
    <div className="empty">
      <p>Loading for the first time…</p>
      <progress aria-label="Loaded" value={progress?.rows} max={progress?.of ?? undefined} />
    </div>
  );
}
