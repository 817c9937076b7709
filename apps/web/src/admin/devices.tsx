import { Ago, TablePanel } from './panel.tsx';
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
            {scopes.map(({ scope, behind, will_reload }) => (
              <li key={scope}>
                {scope}: {behind === null ? 'not known' : behind === 0 ? 'has all' : behind}
                {will_reload && <strong className="warn"> will reload</strong>}
              </li>
            ))}
          </ul>
        ),
      }}
    />
  );
}
