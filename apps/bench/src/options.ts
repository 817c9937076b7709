import { parseArgs } from 'node:util';

export interface Options {
  /** Ids of rows, or how they begin. Empty: all. */
  readonly only: readonly string[];
  readonly quick: boolean;
  readonly peers: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly seed: number;
  readonly json: string | undefined;
  readonly plots: string | undefined;
  readonly docs: string | undefined;
  readonly baseline: string | undefined;
  readonly profile: string | undefined;
  /** Shows an earlier run instead of measuring. */
  readonly from: string | undefined;
}

export const HELP = `npm run bench -- [options]

Measures the service against the bare driver, a bare Nest app and, with --peers, the original.

  --only a,b        rows by id, or by how it begins: push, stream-50
  --quick           one short round: everything runs, nothing is precise
  --peers           also fastapi-offline-sync 0.1.2 (needs python3; installed once into the cache folder)
  --rounds N        rounds of each row (5)
  --seconds N       length of a timed region (1)
  --seed N          of the inputs (1)
  --json FILE       writes everything that was measured
  --plots DIR       writes the plots as SVG
  --docs FILE       puts table and plots between the markers of a Markdown file
  --baseline FILE   compares the ratios with an earlier --json; ends with 1 when one is worse beyond the spread
  --from FILE       shows an earlier --json instead of measuring
  --publish         a whole run with --peers that writes apps/bench/baseline.json, docs/performance.md and its plots
  --profile DIR     starts the server with one worker under --cpu-prof
  --list            names the rows
  --help`;

const NAMES = {
  only: { type: 'string' },
  quick: { type: 'boolean', default: false },
  peers: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  seed: { type: 'string', default: '1' },
  json: { type: 'string' },
  plots: { type: 'string' },
  docs: { type: 'string' },
  baseline: { type: 'string' },
  profile: { type: 'string' },
  from: { type: 'string' },
  publish: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** Path of the official run, relative to the project's folder. */
const PUBLISHED = {
  json: 'apps/bench/baseline.json',
  plots: 'docs/performance',
  docs: 'docs/performance.md',
};

/** Wrong arguments: the message says it all. */
export class UsageError extends Error {}

/** @throws UsageError for an unknown option, a missing value or a number that is none */
export function readOptions(args: readonly string[]): Options | 'help' | 'list' {
  const { values } = parse(args);
  if (values.help) return 'help';
  if (values.list) return 'list';
  const { publish } = values;
  if (publish && (values.only !== undefined || values.quick || values.from !== undefined))
    throw new UsageError('--publish measures everything: leave out --only, --quick and --from.');
  const { quick, baseline, profile, from } = values;
  return {
    only: (values.only ?? '').split(',').filter((id) => id !== ''),
    quick,
    peers: values.peers || publish,
    rounds: positive('rounds', values.rounds ?? (quick ? '1' : '5'), true),
    seconds: positive('seconds', values.seconds ?? (quick ? '0.4' : '1'), false),
    seed: positive('seed', values.seed, true),
    json: values.json ?? (publish ? PUBLISHED.json : undefined),
    plots: values.plots ?? (publish ? PUBLISHED.plots : undefined),
    docs: values.docs ?? (publish ? PUBLISHED.docs : undefined),
    baseline,
    profile,
    from,
  };
}

/** @throws UsageError when a name fits nothing */
export function select<T extends { readonly id: string }>(rows: readonly T[], only: readonly string[]): T[] {
  for (const name of only)
    if (!rows.some(({ id }) => id.startsWith(name)))
      throw new UsageError(`No row is called ${name}. There are: ${rows.map(({ id }) => id).join(', ')}`);
  return rows.filter(({ id }) => only.length === 0 || only.some((name) => id.startsWith(name)));
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: NAMES });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  }
}

function positive(name: string, text: string, whole: boolean): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value) || (whole && !Number.isInteger(value)))
    throw new UsageError(`--${name} takes a ${whole ? 'whole ' : ''}number above 0, not ${text}.`);
  return value;
}
