import { Connection, textOf, type Exchange } from '../load/connection';
import { collectGarbage } from '../load/drive';
import { storedCounts, OURS } from '../load/stored-counts';
import { percentiles } from '../stats/summary';
import { note, NOTES } from '../workload/notes';
import { seeded, seedFor } from '../workload/random';
import { databaseOf, type Bench, type Measure, type Row } from './bench';

const CLIENTS = 8;
const DOCUMENT = 'shared';
const ORIGINAL_LIMIT_MS = 5_000;

interface Result {
  readonly status: string;
  readonly new_version: string | null;
  readonly server_version: string | null;
}

/** Eight devices edit one document, each from the version it got last. One of them wins, the others get the current document. */
export const ONE_DOCUMENT_ROW: Row = {
  id: 'push-one-document',
  title: 'push, 8 clients on one document, each answered',
  figures: [
    { name: 'rate', label: 'dispositions', unit: 'per second' },
    { name: 'p50', label: 'p50', unit: 'ms' },
    { name: 'failures', label: 'requests without a disposition', unit: 'count' },
  ],
  targets: [
    { figure: 'rate', bound: { least: 1000 } },
    { figure: 'failures', bound: { most: 0 } },
  ],
  variants: ['ours-1', 'ours-2', 'original'],
  timed: true,
  overheadSeconds: 0.4,
  open: async (bench) => ({
    measures: {
      'ours-1': contend(bench, 'ours-1'),
      'ours-2': contend(bench, 'ours-2'),
      original: contend(bench, 'original'),
    },
  }),
};

function contend(bench: Bench, variant: 'ours-1' | 'ours-2' | 'original'): Measure {
  return async ({ name, seconds }) => {
    const { url } = await bench.server(variant);
    const authorization = bench.tokens.bearer(name);
    const connections = Array.from({ length: CLIENTS }, () => new Connection(url, ORIGINAL_LIMIT_MS));
    collectGarbage();
    const started = performance.now();
    const until = started + seconds * 1000;
    const runs = await Promise.all(
      connections.map((connection, device) =>
        edit(
          connection,
          authorization,
          until,
          seedFor(bench.seed, name, device),
          `device-${String(device)}`,
          `${name}-${DOCUMENT}`,
        ),
      ),
    );
    const took = (performance.now() - started) / 1000;
    await Promise.all(connections.map((connection) => connection.close()));
    const answers = runs.flat();
    const answered = answers.filter(({ result }) => result !== undefined);
    if (variant !== 'original')
      await checkLog(
        bench,
        variant,
        name,
        answered.map(({ result }) => result as Result),
      );
    return {
      figures: {
        rate: answered.length / took,
        ...percentiles(answered.map(({ exchange }) => exchange.ms)),
        failures: answers.length - answered.length,
      },
    };
  };
}

interface Answer {
  readonly exchange: Exchange;
  readonly result: Result | undefined;
}

/** The answer is read in the timed region here: the next edit starts from it. */
async function edit(
  connection: Connection,
  authorization: string,
  until: number,
  seed: number,
  client: string,
  id: string,
): Promise<Answer[]> {
  const random = seeded(seed);
  const answers: Answer[] = [];
  let parent: string | null = null;
  for (let mutation = 0; performance.now() < until; mutation += 1) {
    const change = {
      collection: NOTES,
      operation: 'upsert',
      doc_id: id,
      data: note(random),
      parent_version: parent,
      mutation_id: String(mutation),
    };
    const exchange = await connection.send({
      method: 'POST',
      path: '/sync/push',
      headers: { 'content-type': 'application/json', authorization },
      body: Buffer.from(JSON.stringify({ client_id: client, changes: [change] })),
    });
    const [result] =
      exchange.status === 200 ? (JSON.parse(textOf(exchange)) as { results: Result[] }).results : [];
    answers.push({ exchange, result });
    parent = result?.new_version ?? result?.server_version ?? parent;
  }
  return answers;
}

/** @throws Error unless each accepted edit, and nothing else, is in the log, each under its own version */
async function checkLog(
  bench: Bench,
  variant: 'ours-1' | 'ours-2',
  scope: string,
  results: readonly Result[],
): Promise<void> {
  const taken = results.filter(({ status }) => status !== 'rejected').map(({ new_version }) => new_version);
  const { entries } = await storedCounts(bench.client.db(databaseOf(variant)), OURS, [scope]);
  if (new Set(taken).size !== taken.length || entries !== taken.length)
    throw new Error(`${String(taken.length)} edits were taken, and the log has ${String(entries)}`);
}
