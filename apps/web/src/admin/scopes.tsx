import { Ago, TablePanel } from './panel.tsx';
import type { Routes, Scope } from './routes.ts';
import { useList } from './use-list.ts';

export function Scopes({ routes }: { readonly routes: Routes }) {
  return (
    <TablePanel
      title="Scopes"
      listed={useList<Scope>(routes, 'scopes')}
      empty="Nothing was ever written."
      keyOf={({ scope }) => scope}
      columns={{
        Scope: ({ scope }) => scope,
        Newest: ({ seq }) => seq,
        'Last change': ({ changed_at }) => <Ago at={changed_at} />,
        'In the log': ({ entries }) => entries,
        'Reload below': ({ floor_seq }) => (floor_seq === 0 ? 'nothing trimmed' : floor_seq),
        'To be deleted': ({ waiting }) => waiting,
      }}
    />
  );
}
