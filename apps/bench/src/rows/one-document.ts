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

/**
 * Eight devices count up one document: at least as fast as they write eight documents of the scope, and none of them is
 * refused.
 */
export const INC_ONE_DOCUMENT_ROW: Row = {
  id: 'inc-one-document',
  title: 'push of inc, 8 clients on one document',
  figures: [
    { name: 'rate', label: 'changes', unit: 'per second' },
    { name: 'p50', label: 'p50', unit: 'ms' },
    { name: 'failures', label: 'changes that were not accepted', unit: 'count' },
  ],
  targets: [
    { figure: 'rate', against: ['http'], bound: { least: 1 } },
    { figure: 'failures', bound: { most: 0 } },
  ],
  variants: ['http', 'ours-1', 'ours-2'],
  timed: true,
  overheadSeconds: 0.4,
  open: async (bench) => ({
    measures: {
      http: count(bench, 'ours-1', 'documents'),
      'ours-1': count(bench, 'ours-1', 'one document'),
      'ours-2': count(bench, 'ours-2', 'one document'),
    },
  }),
};

/** Each device writes its own document of the scope again and again, or all of them add to one. */
function count(bench: Bench, variant: 'ours-1' | 'ours-2', to: 'documents' | 'one document'): Measure {
  return async ({ name, seconds }) => {
    const { url } = await bench.server(variant);
    const authorization = bench.tokens.bearer(name);
    const connections = Array.from({ length: CLIENTS }, () => new Connection(url, ORIGINAL_LIMIT_MS));
    const idOf = (device: number): string =>
      to === 'documents' ? `${name}-${String(device)}` : `${name}-${DOCUMENT}`;
    const send = async (device: number, change: object): Promise<Answer> => {
      const exchange = await (connections[device] as Connection).send({
        method: 'POST',
        path: '/sync/push',
        headers: { 'content-type': 'application/json', authorization },
        body: Buffer.from(
          JSON.stringify({
            client_id: `device-${String(device)}`,
            changes: [{ collection: NOTES, doc_id: idOf(device), ...change }],
          }),
        ),
      });
      const [result] =
        exchange.status === 200 ? (JSON.parse(textOf(exchange)) as { results: Result[] }).results : [];
      return { exchange, result };
    };
    const random = seeded(seedFor(bench.seed, name, 0));
    const data = note(random);
    const first = await send(0, { operation: 'upsert', data, mutation_id: 'first' });
    if (first.result?.status !== 'accepted') throw new Error('The document to count in was not accepted');
    collectGarbage();
    const started = performance.now();
    const until = started + seconds * 1000;
    const runs = await Promise.all(
      connections.map(async (_, device) => {
        const answers: Answer[] = [];
        let parent_version = device === 0 ? first.result?.new_version : null;
        for (let mutation = 0; performance.now() < until; mutation += 1) {
          const mutation_id = String(mutation);
          const answer = await send(
            device,
            to === 'documents'
              ? { operation: 'upsert', data: { ...data, qty: mutation }, mutation_id, parent_version }
              : { operation: 'patch', inc: { qty: 1 }, mutation_id },
          );
          answers.push(answer);
          parent_version = answer.result?.new_version ?? parent_version;
        }
        return answers;
      }),
    );
    const took = (performance.now() - started) / 1000;
    await Promise.all(connections.map((connection) => connection.close()));
    const answers = runs.flat();
    const accepted = answers.filter(({ result }) => result?.status === 'accepted');
    await checkLog(
      bench,
      variant,
      name,
      [first, ...accepted].map(({ result }) => result as Result),
    );
    if (to === 'one document') {
      const stored = await bench.client
        .db(databaseOf(variant))
        .collection(NOTES)
        .findOne({ qty: data.qty + accepted.length });
      if (!stored)
        throw new Error(`${String(accepted.length)} were counted, and the document says otherwise`);
    }
    return {
      figures: {
        rate: accepted.length / took,
        ...percentiles(answers.map(({ exchange }) => exchange.ms)),
        failures: answers.length - accepted.length,
      },
    };
  };
}

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
