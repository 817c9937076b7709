import { setTimeout as delay } from 'node:timers/promises';
import { Connection, type Exchange } from '../load/connection';
import { collectGarbage } from '../load/drive';
import { devicePlans, pushRequests } from '../load/push-plan';
import { ScopeListener } from '../load/scope-listener';
import { percentiles } from '../stats/summary';
import type { Bench, Measure, Row } from './bench';
import { bareStream, BETWEEN_MS, LATE_MS, writesOf } from './stream-measures';

const SCOPES = 20;
const CONNECTIONS = 4;

/** A device that follows many projects has one socket. What it costs is compared with a listener to one scope. */
export const SCOPES_ROW: Row = {
  id: 'stream-20-scopes',
  title: 'stream, one socket that follows 20 scopes, 50 writes/s in all',
  figures: [
    { name: 'p50', label: 'p50, from the write sent', unit: 'ms' },
    { name: 'p99', label: 'p99, from the write sent', unit: 'ms' },
    { name: 'lost', label: 'lost deliveries', unit: 'count' },
  ],
  targets: [
    { figure: 'p50', against: ['bare'], bound: { most: 4 } },
    { figure: 'p99', against: ['bare'], bound: { most: 5 } },
    { figure: 'lost', bound: { most: 0 } },
  ],
  variants: ['bare', 'ours-1', 'ours-2'],
  maxRounds: 3,
  timed: false,
  overheadSeconds: 3.6,
  open: async (bench) => ({
    measures: {
      bare: bareStream(bench),
      'ours-1': follow(bench, 'ours-1'),
      'ours-2': follow(bench, 'ours-2'),
    },
  }),
};

function follow(bench: Bench, variant: 'ours-1' | 'ours-2'): Measure {
  return async ({ name, round }) => {
    const { url } = await bench.server(variant);
    const rounds = Math.ceil(writesOf(bench, round) / SCOPES);
    const plans = devicePlans(bench.seed, name, { clients: SCOPES, batch: 1, scopes: 'own' }, rounds);
    const requests = pushRequests(plans, (scope) => bench.tokens.bearer(scope));
    // The server's option `scopes` lets an identity into what begins with its own scope.
    const scopes = plans.map(({ scope }) => scope);
    const listener = await ScopeListener.open(url, bench.tokens.bearer(name), scopes);
    const connections = Array.from({ length: CONNECTIONS }, () => new Connection(url, LATE_MS));
    const writes = rounds * SCOPES;
    try {
      collectGarbage();
      const started = performance.now();
      const answers: Promise<[doc: string, exchange: Exchange]>[] = [];
      for (let place = 0; place < writes; place += 1) {
        await delay(Math.max(0, started + place * BETWEEN_MS - performance.now()));
        const [device, push] = [place % SCOPES, Math.floor(place / SCOPES)];
        const request = requests[device]?.[push];
        const doc = `${scopes[device] ?? ''} ${plans[device]?.pushes[push]?.[0]?.doc_id ?? ''}`;
        if (!request) throw new Error('Nothing to write');
        const connection = connections[place % CONNECTIONS] as Connection;
        answers.push(connection.send(request).then((exchange) => [doc, exchange]));
      }
      const sent = new Map(await Promise.all(answers));
      if ([...sent.values()].some(({ status }) => status !== 200)) throw new Error('A write was not taken');
      await listener.until(writes, LATE_MS);
      const times = listener.heard().map(({ scope, entry, at }) => {
        const write = sent.get(`${scope} ${String(entry.doc_id)}`);
        if (!write) throw new Error(`An entry came in ${scope} that nobody wrote there`);
        return at - write.sentAt;
      });
      return { figures: { ...percentiles(times), lost: writes - times.length } };
    } finally {
      listener.close();
      await Promise.all(connections.map((connection) => connection.close()));
    }
  };
}
