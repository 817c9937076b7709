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
    if (!step || running) return;
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
      <p className="act" aria-live="polite">
        {!step && <strong>{chapter.moral}</strong>}
        {(step ?? STORY[at + 1]) && (
          // One button for all steps, never disabled: who uses the keyboard stays on it.
          <button className="main" aria-disabled={running} onClick={() => (step ? void run() : open(at + 1))}>
            {step ? step.label : 'Next'}
          </button>
        )}
      </p>
      {failure !== '' && <p role="alert">{failure}</p>}
    </section>
  );
}
