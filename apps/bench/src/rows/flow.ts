import { setTimeout as delay } from 'node:timers/promises';
import { Connection, textOf, type Exchange } from '../load/connection';
import { collectGarbage } from '../load/drive';
import { checkPushes } from '../load/push-check';
import { devicePlans, pushRequests } from '../load/push-plan';
import { checkSubscribers, Subscribers } from '../load/subscribers';
import type { Bench, Measure, Row } from './bench';

const CHANGES = 10_000;
const SHAPE = { clients: 4, batch: 100, scopes: 'one' } as const;
const LIMIT_MS = 60_000;
/** Before the puller asks again when there was nothing new. */
const PAUSE_MS = 5;

/** From a write until those who read have it: four devices push, one pulls and one listens. */
export const FLOW_ROW: Row = {
  id: 'write-to-read',
  title: 'write to read: 10,000 changes in pushes of 100, 4 clients, one scope',
  figures: [
    { name: 'rate', label: 'rows, until puller and listener have all', unit: 'per second' },
    { name: 'pushed', label: 'rows, until all is answered', unit: 'per second' },
  ],
  targets: [{ figure: 'rate', bound: { least: 20_000 } }],
  variants: ['ours-1', 'ours-2'],
  timed: false,
  overheadSeconds: 2,
  open: async (bench) => ({
    measures: { 'ours-1': flow(bench, 'ours-1'), 'ours-2': flow(bench, 'ours-2') },
  }),
};

function flow(bench: Bench, variant: 'ours-1' | 'ours-2'): Measure {
  return async ({ name }) => {
    const { url } = await bench.server(variant);
    const pushes = CHANGES / SHAPE.batch / SHAPE.clients;
    const plans = devicePlans(bench.seed, name, SHAPE, pushes);
    const requests = pushRequests(plans, (scope) => bench.tokens.bearer(scope));
    const token = bench.tokens.sign(name);
    const listener = await Subscribers.open({ url, count: 1, token: () => token, times: false });
    const connections = plans.map(() => new Connection(url, LIMIT_MS));
    const puller = new Connection(url, LIMIT_MS);
    try {
      const heard = listener.until(CHANGES, LIMIT_MS);
      collectGarbage();
      const started = performance.now();
      const seconds = (): number => (performance.now() - started) / 1000;
      const pulled = pullAll(puller, bench.tokens.bearer(name), started + LIMIT_MS);
      const exchanges = await Promise.all(
        requests.map(async (plan, device) => {
          const done: Exchange[] = [];
          for (const request of plan) done.push(await (connections[device] as Connection).send(request));
          return done;
        }),
      );
      const pushedIn = seconds();
      const [pages] = await Promise.all([pulled, heard]);
      const all = seconds();
      const { accepted } = checkPushes(plans, exchanges);
      checkReaders(accepted, pages, listener);
      return { figures: { rate: accepted / all, pushed: accepted / pushedIn } };
    } finally {
      listener.close();
      await Promise.all([puller, ...connections].map((connection) => connection.close()));
    }
  };
}

/** Pulls from cursor to cursor. Rows are counted by the integer that the answer has at its end, without parsing. */
async function pullAll(connection: Connection, authorization: string, until: number): Promise<string[]> {
  const pages: string[] = [];
  let since = '';
  for (let seq = 0; seq < CHANGES && performance.now() < until;) {
    const path = `/sync/pull?limit=1000${since}`;
    const page = textOf(await connection.send({ method: 'GET', path, headers: { authorization } }));
    const end = /"last_seq":"([^"]+)","seq":(\d+),"has_more":\w+\}$/.exec(page);
    const reached = Number(end?.[2] ?? seq);
    if (reached === seq) {
      await delay(PAUSE_MS);
      continue;
    }
    pages.push(page);
    since = `&since=${end?.[1] ?? ''}`;
    seq = reached;
  }
  return pages;
}

function checkReaders(accepted: number, pages: readonly string[], listener: Subscribers): void {
  const pulled = pages.flatMap((page) => (JSON.parse(page) as { changes: { version: string }[] }).changes);
  const heard = checkSubscribers(listener);
  if (accepted !== CHANGES || pulled.length !== CHANGES || heard.length !== CHANGES)
    throw new Error(
      `${String(accepted)} were accepted, ${String(pulled.length)} pulled, ${String(heard.length)} heard`,
    );
  for (const [place, { version }] of heard.entries())
    if (pulled[place]?.version !== version) throw new Error(`Puller and listener differ at ${version}`);
}
