import { bareFull } from '../bare/bare-full';
import { Connection } from '../load/connection';
import { collectGarbage } from '../load/drive';
import { checkFull, fullRequest, readFull } from '../load/full-read';
import { FilledLog } from '../workload/filled-log';
import type { Bench, Measure, Row, Served } from './bench';
import { fillVariants } from './fills';

const ROWS = 100_000;
const QUICK_ROWS = 20_000;
const LIMIT_MS = 60_000;
/** The original's pages; ours come in one. */
const ORIGINAL_PAGE = 1000;

/** Both rows read the same documents. */
const SCOPE = 'full';
const filled = new WeakMap<Bench, Promise<FilledLog>>();

export const FULL_ROWS: readonly Row[] = ['plain', 'gzip'].map((encoding) => ({
  id: `full-${encoding}`,
  title: `full, 100,000 rows, ${encoding}`,
  figures: [
    { name: 'rate', label: 'rows', unit: 'per second' },
    { name: 'firstByte', label: 'first byte', unit: 'ms' },
  ],
  targets: [
    { figure: 'rate', against: ['bare'], bound: { least: 0.9 } },
    { figure: 'firstByte', bound: { most: 20 } },
    { figure: 'rate', against: ['original'], bound: { least: 1.5 } },
  ],
  variants: ['bare', 'ours-1', 'ours-2', 'original'],
  timed: false,
  overheadSeconds: 2,
  open: async (bench, variants) => {
    const made = filled.get(bench) ?? fillOnce(bench, variants);
    filled.set(bench, made);
    const log = await made;
    const gzip = encoding === 'gzip';
    return {
      measures: {
        bare: bareMeasure(bench, log, gzip),
        'ours-1': servedMeasure(bench, 'ours-1', log, gzip),
        'ours-2': servedMeasure(bench, 'ours-2', log, gzip),
        original: servedMeasure(bench, 'original', log, gzip),
      },
    };
  },
}));

async function fillOnce(bench: Bench, variants: Parameters<Row['open']>[1]): Promise<FilledLog> {
  const log = new FilledLog(SCOPE, bench.quick ? QUICK_ROWS : ROWS, bench.seed);
  await fillVariants(bench, variants, [log], { entries: false });
  return log;
}

function servedMeasure(bench: Bench, variant: Served, log: FilledLog, gzip: boolean): Measure {
  const limit = variant === 'original' ? ORIGINAL_PAGE : 0;
  return async () => {
    const { url } = await bench.server(variant);
    const bearer = bench.tokens.bearer(log.scope);
    const connection = new Connection(url, LIMIT_MS);
    collectGarbage();
    try {
      const read = await readFull(connection, (cursor) => fullRequest(bearer, gzip, limit, cursor));
      const rows = checkFull(read, log, variant !== 'original');
      return { figures: { rate: rows / read.seconds, firstByte: read.firstByteMs } };
    } finally {
      await connection.close();
    }
  };
}

function bareMeasure(bench: Bench, log: FilledLog, gzip: boolean): Measure {
  return async () => {
    const store = await bench.bare();
    collectGarbage();
    const { chunks, seconds, firstByteMs } = await bareFull(store, log.scope, gzip);
    const headers: Record<string, string> = gzip ? { 'content-encoding': 'gzip' } : {};
    const rows = checkFull({ answers: [answer(headers, chunks)] }, log, false);
    return { figures: { rate: rows / seconds, firstByte: firstByteMs } };
  };
}

function answer(headers: Record<string, string>, body: Buffer[]) {
  const request = { method: 'GET', path: '', headers: {} } as const;
  return { request, status: 200, headers, body, sentAt: 0, firstByteMs: 0, ms: 0 };
}
