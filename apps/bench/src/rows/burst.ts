import { burstPath } from '../echo/burst';
import { Connection, type Prepared } from '../load/connection';
import { collectGarbage } from '../load/drive';
import { checkPushes } from '../load/push-check';
import { devicePlans, pushRequests } from '../load/push-plan';
import { checkSubscribers, Subscribers } from '../load/subscribers';
import type { Server } from '../processes/child';
import type { Bench, Measure, Row } from './bench';

const SUBSCRIBERS = 1000;
const CHANGES = 1000;
const FEW_CHANGES = 100;
/** Bytes of one of our messages, so that the bare server sends as much. */
const MESSAGE_BYTES = 300;
const LIMIT_MS = 60_000;

/** One push of 1,000 changes to 1,000 subscribers: a million deliveries. */
export const BURST_ROW: Row = {
  id: 'stream-burst',
  title: 'stream, 1,000 subscribers, one burst of 1,000 changes',
  figures: [
    { name: 'rate', label: 'deliveries, from the push sent', unit: 'per second' },
    { name: 'lost', label: 'lost deliveries', unit: 'count' },
  ],
  targets: [
    { figure: 'rate', against: ['bare'], bound: { least: 0.5 } },
    { figure: 'lost', bound: { most: 0 } },
  ],
  variants: ['bare', 'ours-1', 'ours-2'],
  maxRounds: 3,
  timed: false,
  overheadSeconds: 6,
  open: async (bench) => ({
    measures: {
      bare: bareBurst(bench),
      'ours-1': ourBurst(bench, 'ours-1'),
      'ours-2': ourBurst(bench, 'ours-2'),
    },
  }),
};

/** Few at first, for the warm-up. */
function changesOf(bench: Bench, round: number): number {
  return bench.quick || round === 0 ? FEW_CHANGES : CHANGES;
}

function ourBurst(bench: Bench, variant: 'ours-1' | 'ours-2'): Measure {
  return async ({ name, round }) => {
    const server = await bench.server(variant);
    const batch = changesOf(bench, round);
    const plans = devicePlans(bench.seed, name, { clients: 1, batch, scopes: 'one' }, 1);
    const [[push] = []] = pushRequests(plans, (scope) => bench.tokens.bearer(scope));
    const token = bench.tokens.sign(name);
    return burst(
      server,
      batch,
      push as Prepared,
      () => token,
      (answer) => {
        const { accepted } = checkPushes(plans, [[answer]]);
        if (accepted !== batch) throw new Error('The burst was not accepted');
      },
    );
  };
}

function bareBurst(bench: Bench): Measure {
  return async ({ round }) => {
    const server = await bench.bareSockets();
    const messages = changesOf(bench, round);
    const push: Prepared = { method: 'POST', path: burstPath(messages, MESSAGE_BYTES), headers: {} };
    return burst(server, messages, push, () => '');
  };
}

async function burst(
  { url }: Server,
  messages: number,
  push: Prepared,
  token: () => string,
  check?: (answer: Awaited<ReturnType<Connection['send']>>) => void,
): Promise<{ figures: Record<string, number> }> {
  const subscribers = await Subscribers.open({ url, count: SUBSCRIBERS, token, times: false });
  const connection = new Connection(url, LIMIT_MS);
  try {
    collectGarbage();
    const total = messages * SUBSCRIBERS;
    const complete = subscribers.until(total, LIMIT_MS);
    const started = performance.now();
    const answer = connection.send(push);
    await complete;
    const seconds = (performance.now() - started) / 1000;
    const lost = total - subscribers.received;
    const answered = await answer;
    check?.(answered);
    if (check) checkSubscribers(subscribers);
    return { figures: { rate: subscribers.received / seconds, lost } };
  } finally {
    subscribers.close();
    await connection.close();
  }
}
