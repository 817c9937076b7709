import { Ago, duration, TablePanel } from './panel.tsx';
import type { Device, Routes } from './routes.ts';
import { useList } from './use-list.ts';

export function Devices({ routes }: { readonly routes: Routes }) {
  return (
    <TablePanel
      title="Devices"
      listed={useList<Device>(routes, 'devices')}
      empty="No device has synced yet."
      keyOf={({ scope, actor, client }) => JSON.stringify([scope, actor, client])}
      columns={{
        Device: ({ actor, client, client_schema }) => (
          <>
            {actor}
            <small>{client ?? 'does not say which'}</small>
            {client_schema !== null && <small>app version {client_schema}</small>}
          </>
        ),
        Seen: ({ seen_at }) => <Ago at={seen_at} />,
        Pushed: ({ push_at }) => <Ago at={push_at} />,
        Pulled: ({ pull_at }) => <Ago at={pull_at} />,
        Listened: ({ socket_at }) => <Ago at={socket_at} />,
        Behind: ({ scopes }) => (
          <ul>
            {scopes.map(({ scope, will_reload, ...how }) => (
              <li key={scope}>
                {scope}: {behindText(how)}
                {will_reload && <strong className="warn"> will reload</strong>}
              </li>
            ))}
          </ul>
        ),
      }}
    />
  );
}

/** By entries, or by time where nobody counts them. */
function behindText({ behind, behind_ms }: Pick<Device['scopes'][number], 'behind' | 'behind_ms'>): string {
  if (behind === 0) return 'has all';
  if (behind !== null) return `${String(behind)} behind`;
  return behind_ms === null ? 'not known' : `${duration(behind_ms)} behind`;
}
