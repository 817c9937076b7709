import type { PushShape } from '../load/push-plan';
import type { Figure, Target, Variant } from '../model';
import { TASKS } from '../workload/notes';
import type { Row } from './bench';
import { barePushes, originalPushes, servedPushes, socketPushes } from './push-measures';

const RATE: Figure = { name: 'rate', label: 'changes', unit: 'per second' };
const P50: Figure = { name: 'p50', label: 'p50', unit: 'ms' };
const P99: Figure = { name: 'p99', label: 'p99', unit: 'ms' };
const FAILURES: Figure = { name: 'failures', label: 'failed requests', unit: 'count' };
const NO_FAILURE: Target = { figure: 'failures', bound: { most: 0 } };

interface PushSpec {
  readonly id: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  readonly targets: readonly Target[];
  readonly shape: PushShape;
  /** Where the bare limit is one of another shape. */
  readonly bare?: PushShape;
  readonly echo?: true;
  /** The peer's shapes: the best of them counts. */
  readonly original?: readonly PushShape[];
}

const x1 = (clients: number, scopes: 'one' | 'own'): PushShape => ({ clients, batch: 1, scopes });

const SPECS: readonly PushSpec[] = [
  {
    id: 'push-x100',
    title: 'push x100, 4 clients, own scopes',
    figures: [RATE, P50, FAILURES],
    targets: [
      { figure: 'rate', against: ['bare'], bound: { least: 0.75 } },
      { figure: 'rate', against: ['original'], bound: { least: 40 } },
      NO_FAILURE,
    ],
    shape: { clients: 4, batch: 100, scopes: 'own' },
    original: [
      { clients: 1, batch: 100, scopes: 'own' },
      { clients: 4, batch: 100, scopes: 'own' },
    ],
  },
  {
    id: 'push-x100-schema',
    title: 'push x100, 4 clients, a collection with a Mongoose schema',
    figures: [RATE, P50],
    targets: [NO_FAILURE],
    shape: { clients: 4, batch: 100, scopes: 'own', collection: TASKS },
  },
  {
    id: 'push-x1000',
    title: 'push x1000, 1 client',
    figures: [RATE, P50],
    targets: [{ figure: 'rate', against: ['bare'], bound: { least: 0.7 } }, NO_FAILURE],
    shape: { clients: 1, batch: 1000, scopes: 'own' },
  },
  {
    id: 'push-x1-alone',
    title: 'push x1, 1 client',
    figures: [P50, P99, RATE],
    targets: [
      { figure: 'p50', against: ['bare'], bound: { most: 1.5 } },
      { figure: 'p50', against: ['original'], bound: { most: 1 } },
      NO_FAILURE,
    ],
    shape: x1(1, 'own'),
    original: [x1(1, 'own')],
  },
  {
    id: 'push-x1-one-scope',
    title: 'push x1, 64 clients, one scope',
    figures: [RATE, P50, P99, FAILURES],
    targets: [
      { figure: 'rate', against: ['bare', 'echo'], bound: { least: 0.7 } },
      { figure: 'rate', against: ['original'], bound: { least: 10 } },
      NO_FAILURE,
    ],
    shape: x1(64, 'one'),
    // All that waits in one transaction: a batch of 64.
    bare: { clients: 1, batch: 64, scopes: 'one' },
    echo: true,
    original: [x1(16, 'one'), x1(64, 'one')],
  },
  {
    id: 'push-x1-own-scopes',
    title: 'push x1, 64 clients, 64 scopes',
    figures: [RATE, P50, P99, FAILURES],
    targets: [
      { figure: 'rate', against: ['bare'], bound: { least: 2 } },
      { figure: 'rate', against: ['original'], bound: { least: 8 } },
      NO_FAILURE,
    ],
    shape: x1(64, 'own'),
    // One transaction each; more clients make it no faster.
    bare: x1(16, 'own'),
    echo: true,
    original: [x1(16, 'own'), x1(64, 'own')],
  },
];

/** The same pushes over HTTP and over the socket, in the same round. */
function socketRow(id: string, title: string, shape: PushShape): Row {
  return {
    id,
    title,
    figures: [RATE, P50, P99, FAILURES],
    targets: [{ figure: 'rate', against: ['http'], bound: { least: 1.5 } }, NO_FAILURE],
    variants: ['http', 'ours-1', 'ours-2'],
    timed: true,
    overheadSeconds: 0.4,
    open: async (bench) => ({
      measures: {
        http: servedPushes(bench, 'ours-1', shape),
        'ours-1': socketPushes(bench, 'ours-1', shape),
        'ours-2': socketPushes(bench, 'ours-2', shape),
      },
    }),
  };
}

const HTTP_ROWS: readonly Row[] = SPECS.map(({ shape, ...spec }) => ({
  id: spec.id,
  title: spec.title,
  figures: spec.figures,
  targets: spec.targets,
  variants: variantsOf(spec),
  timed: true,
  overheadSeconds: 0.4,
  open: async (bench) => ({
    measures: {
      bare: barePushes(bench, spec.bare ?? shape),
      ...(spec.echo ? { echo: servedPushes(bench, 'echo', shape) } : {}),
      'ours-1': servedPushes(bench, 'ours-1', shape),
      'ours-2': servedPushes(bench, 'ours-2', shape),
      ...(spec.original ? { original: originalPushes(bench, spec.original) } : {}),
    },
  }),
}));

export const PUSH_ROWS: readonly Row[] = [
  ...HTTP_ROWS,
  socketRow('push-socket-one-scope', 'push x1 over the socket, 64 clients, one scope', x1(64, 'one')),
  socketRow('push-socket-own-scopes', 'push x1 over the socket, 64 clients, 64 scopes', x1(64, 'own')),
];

function variantsOf({ echo, original }: Omit<PushSpec, 'shape'>): Variant[] {
  return [
    'bare',
    ...(echo ? (['echo'] as const) : []),
    'ours-1',
    'ours-2',
    ...(original ? (['original'] as const) : []),
  ];
}
