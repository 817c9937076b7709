import { useState } from 'react';
import { Ago, TablePanel } from './panel.tsx';
import type { Applied, Refused, Routes } from './routes.ts';
import { useList } from './use-list.ts';

export function RefusedChanges({ routes }: { readonly routes: Routes }) {
  const listed = useList<Refused>(routes, 'refused');
  const [told, setTold] = useState('');

  const apply = async ({ id, doc_id }: Refused): Promise<void> => {
    try {
      const { results } = await routes.post<Applied>(`refused/${id}/apply`);
      const [result] = results;
      setTold(
        result?.status === 'rejected'
          ? `${String(doc_id)} was refused again: ${result.code ?? ''} ${result.error ?? ''}`
          : `${String(doc_id)} was applied.`,
      );
    } catch (error) {
      setTold(error instanceof Error ? error.message : String(error));
    }
    listed.reload();
  };

  return (
    <TablePanel
      title="Refused changes"
      listed={listed}
      empty="Nothing was refused lately."
      keyOf={({ id }) => id}
      columns={{
        Change: ({ collection, operation, doc_id }) => (
          <>
            {operation ?? 'change'} of {collection ?? '?'}
            <small>{String(doc_id)}</small>
          </>
        ),
        When: ({ at }) => <Ago at={at} />,
        Who: ({ actor, scope }) => (
          <>
            {actor}
            <small>{scope}</small>
          </>
        ),
        Why: ({ code, error, change }) => (
          <>
            <code>{code}</code>
            <small>{error}</small>
            {change && (
              <details>
                <summary>What was sent</summary>
                <pre tabIndex={0} role="group" aria-label="What was sent">
                  {JSON.stringify(change, null, 2)}
                </pre>
              </details>
            )}
          </>
        ),
        'Apply again': (row) => <ApplyAgain row={row} onApply={() => apply(row)} />,
      }}
    >
      <p role="status" className="told">
        {told}
      </p>
    </TablePanel>
  );
}

/** In two steps: it writes in the name of somebody else. */
function ApplyAgain({ row, onApply }: { readonly row: Refused; readonly onApply: () => Promise<void> }) {
  const [step, setStep] = useState<'rest' | 'sure' | 'busy'>('rest');
  const { applied, change, actor, scope } = row;
  if (applied && applied.status !== 'rejected')
    return (
      <>
        applied <Ago at={applied.at} />
      </>
    );
  if (!change) return <>not kept</>;
  const press = (): void => {
    setStep('busy');
    void onApply().finally(() => setStep('rest'));
  };
  return (
    <>
      {applied && <small>refused again: {applied.code}</small>}
      {step === 'rest' ? (
        <button onClick={() => setStep('sure')}>Apply again</button>
      ) : (
        <span className="act">
          <button className="main" disabled={step === 'busy'} autoFocus onClick={press}>
            Yes, as {actor} in {scope}
          </button>
          <button disabled={step === 'busy'} onClick={() => setStep('rest')}>
            No
          </button>
        </span>
      )}
    </>
  );
}
