import { useState } from 'react';
import type { Device } from './device.ts';
import type { View } from './phone.tsx';
import { STORY } from './story.ts';

/** The story in five chapters: each step does with the phones what a person would, and one can do it by hand instead. */
export function Guide({
  alice,
  bob,
  onView,
}: {
  readonly alice: Device;
  readonly bob: Device;
  readonly onView: (view: View) => void;
}) {
  const [at, setAt] = useState(0);
  const [done, setDone] = useState(0);
  const [running, setRunning] = useState(false);
  const [failure, setFailure] = useState('');
  const chapter = STORY[at];
  if (!chapter) return null;
  const step = chapter.steps[done];

  const open = (index: number): void => {
    setAt(index);
    onView(STORY[index]?.view ?? 'Tasks');
    setDone(0);
    setFailure('');
  };
  const run = async (): Promise<void> => {
    if (!step) return;
    setRunning(true);
    setFailure('');
    try {
      await step.run(alice, bob);
      setDone(done + 1);
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    } finally {
      setRunning(false);
    }
  };

  return (
    <section className="guide" aria-label="Guide">
      <ol>
        {STORY.map(({ title }, index) => (
          <li key={title}>
            <button aria-current={index === at ? 'step' : undefined} onClick={() => open(index)}>
              {title}
            </button>
          </li>
        ))}
      </ol>
      <p>{chapter.text}</p>
      <p className="act">
        {step ? (
          <button className="main" disabled={running} onClick={() => void run()}>
            {step.label}
          </button>
        ) : (
          <>
            <strong>{chapter.moral}</strong>
            {STORY[at + 1] && (
              <button className="main" onClick={() => open(at + 1)}>
                Next
              </button>
            )}
          </>
        )}
      </p>
      {failure !== '' && <p role="alert">{failure}</p>}
    </section>
  );
}
