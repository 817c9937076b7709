import { useState } from 'react';
import { Failed, Panel } from './panel.tsx';
import type { Routes, Verification } from './routes.ts';

export function Verify({ routes }: { readonly routes: Routes }) {
  const [isBusy, setBusy] = useState(false);
  const [told, setTold] = useState<Verification>();
  const [problem, setProblem] = useState<string>();

  const run = (): void => {
    setBusy(true);
    setProblem(undefined);
    routes
      .post<Verification>('verify')
      .then(setTold, (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)))
      .finally(() => setBusy(false));
  };

  return (
    <Panel title="Verify">
      <p>Do documents and log say the same? This reads all of them, and writes nothing.</p>
      <p className="act">
        <button className="main" disabled={isBusy} onClick={run}>
          {isBusy ? 'Comparing…' : 'Verify'}
        </button>
      </p>
      <div role="status">{told && !isBusy && <Found told={told} />}</div>
      {problem !== undefined && <Failed problem={problem} again={run} />}
    </Panel>
  );
}

function Found({ told }: { readonly told: Verification }) {
  if (!told.finished)
    return (
      <p className="warn">
        The time was over after {told.progress.documents} documents. The command line has no limit:{' '}
        <code>npx nest-offline-sync verify</code>
      </p>
    );
  const { scopes, documents, differences, compared } = told.report;
  return (
    <>
      <p className={differences === 0 ? 'good' : 'bad'}>
        {differences === 0 ? 'No differences' : `${differences} differences`} in {documents} documents of{' '}
        {scopes} scopes.
      </p>
      <ul>
        {compared
          .filter((row) => row.differences > 0)
          .map(({ scope, collection, differences: count }) => (
            <li key={JSON.stringify([scope, collection])}>
              {collection} of {scope}: {count}
            </li>
          ))}
      </ul>
    </>
  );
}
