import { useEffect, useRef, useState } from 'react';
import type { Device } from './device.ts';
import type { View } from './phone.tsx';
import { STORY } from './story.ts';

/** Of the chapter before the current one, pixels that stay in view. */
const INSET = 24;

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
  const chapters = useRef<HTMLOListElement>(null);
  // On a narrow screen they are a row that can be moved sideways.
  useEffect(() => {
    const [row, current] = [chapters.current, chapters.current?.children[at]];
    if (row && current instanceof HTMLElement) row.scrollLeft = current.offsetLeft - row.offsetLeft - INSET;
  }, [at]);
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
      <ol ref={chapters}>
        {STORY.map(({ title }, index) => (
          <li key={title}>
            <button aria-current={index === at ? 'step' : undefined} onClick={() => open(index)}>
              {title}
            </button>
          </li>
        ))}
      </ol>
      {/* The one in place of the other, so that the phones below stay where they are. */}
      <div aria-live="polite">
        {(step ?? chapter.steps.length === 0) && <p>{chapter.text}</p>}
        {!step && (
          <p>
            <strong>{chapter.moral}</strong>
          </p>
        )}
      </div>
      <p className="act">
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
