import { useCallback, useEffect, useState } from 'react';
import { Failed, Panel } from './panel.tsx';
import type { Routes, Status } from './routes.ts';

export function SystemStatus({ routes }: { readonly routes: Routes }) {
  const [status, setStatus] = useState<Status>();
  const [problem, setProblem] = useState<string>();

  const load = useCallback(() => {
    setProblem(undefined);
    routes.get<Status>('status').then(setStatus, (error: unknown) => {
      setProblem(error instanceof Error ? error.message : String(error));
    });
  }, [routes]);
  useEffect(load, [load]);

  return (
    <Panel title="Status">
      {problem !== undefined && <Failed problem={problem} again={load} />}
      {!status && problem === undefined && <p className="empty">Loading…</p>}
      {status && <Facts status={status} />}
    </Panel>
  );
}

function streamOf(state: string | undefined, reopened: number): string {
  const words = state === 'off' ? 'off: nobody listens to this process' : (state ?? 'not known');
  return reopened === 0 ? words : `${words}, was lost ${reopened} times`;
}

function Facts({ status }: { readonly status: Status }) {
  const { health, change_stream, trimming, capture, database, versions } = status;
  const { details } = health;
  const facts: Readonly<Record<string, string>> = {
    Engine: health.status === 'up' ? 'works' : 'is down',
    'Change stream': streamOf(details.changeStream, change_stream.reopened),
    Log: trimming.log_days === 0 ? 'kept for ever' : `kept for ${trimming.log_days} days`,
    Trimming:
      trimming.interval_ms === 0
        ? 'switched off here'
        : trimming.lease?.held
          ? `by ${trimming.lease.here ? 'this process' : 'another process'}`
          : 'by nobody at the moment',
    Capture: capture
      ? `${capture.collections.join(', ')}, ${capture.behind_ms === null ? 'has not begun' : `${capture.behind_ms} ms behind`}`
      : 'of no collection',
    Database: `${database.name}: ${database.collections.map(({ collection, documents }) => `${documents ?? '?'} in ${collection}`).join(', ')}`,
    Versions: `package ${versions.package}, wire ${versions.wire}, Node ${versions.node}`,
  };
  const warnings = [
    ...(details.error === undefined ? [] : [details.error]),
    ...(details.warnings ?? []),
    ...database.missing.map((what) => `Missing in the database: ${what}`),
  ];
  return (
    <>
      {warnings.map((warning) => (
        <p key={warning} className="warn">
          {warning}
        </p>
      ))}
      <dl>
        {Object.entries(facts).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
