import { open } from 'node:fs/promises';
import { WorkloadError, type Check } from '../../../conformance/src';

/** A file with the verdict and the whole history: an event a line. Documents and tokens stand in neither. */
export interface Record {
  write(check: Check): Promise<void>;
  close(): Promise<void>;
}

/** @throws WorkloadError when the file cannot be written, before anything else is done */
export async function openRecord(path: string): Promise<Record> {
  const file = await open(path, 'w').catch((error: unknown) => {
    throw new WorkloadError(`--json: ${error instanceof Error ? error.message : String(error)}`);
  });
  return {
    write: async ({ verdict, history: { events, ...rest } }) => {
      const head = JSON.stringify({ ...rest, verdict });
      await file.write(`${head.slice(0, -1)},"events":[\n`);
      const block = 5000;
      for (let from = 0; from < events.length; from += block) {
        const lines = events.slice(from, from + block).map((event) => JSON.stringify(event));
        await file.write(`${lines.join(',\n')}${from + block < events.length ? ',' : ''}\n`);
      }
      await file.write(']}\n');
    },
    close: () => file.close(),
  };
}
