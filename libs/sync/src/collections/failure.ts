/** Told of an error of the app's own code (a transform, a hook) that rejected a change, so that it can be logged. */
export type FailureReport = (step: string, error: unknown) => void;

/** What may be logged of an error of the app's code: its kind and where it was thrown. Its message may hold data. */
export function failureTrace(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [error.name, ...frames.slice(0, 8)].join('\n');
}
