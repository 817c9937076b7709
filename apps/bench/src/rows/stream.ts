import type { Figure, Target } from '../model';
import type { Row } from './bench';
import { bareStream, originalStream, servedStream } from './stream-measures';

const FIGURES: readonly Figure[] = [
  { name: 'p50', label: 'p50, from the write sent', unit: 'ms' },
  { name: 'p99', label: 'p99, from the write sent', unit: 'ms' },
  { name: 'p50FromAnswer', label: 'p50, from the write answered', unit: 'ms' },
  { name: 'lost', label: 'lost deliveries', unit: 'count' },
];

const TARGETS: readonly Target[] = [
  { figure: 'p50', against: ['bare'], bound: { most: 4 } },
  { figure: 'p99', against: ['bare'], bound: { most: 5 } },
  { figure: 'lost', bound: { most: 0 } },
];

/** With 8 subscribers the original still works; from 12 on it hangs. */
export const STREAM_ROWS: readonly Row[] = [8, 50, 200].map((subscribers) => ({
  id: `stream-${String(subscribers)}`,
  title: `stream, ${String(subscribers)} subscribers of a scope, 50 writes/s`,
  figures: FIGURES,
  targets:
    subscribers === 8 ? [...TARGETS, { figure: 'p50', against: ['original'], bound: { most: 1 } }] : TARGETS,
  variants: [
    'bare',
    'ours-1',
    ...(subscribers === 8 ? [] : (['ours-2'] as const)),
    ...(subscribers === 200 ? [] : (['original'] as const)),
  ],
  maxRounds: 3,
  timed: false,
  overheadSeconds: 3.6,
  open: async (bench) => ({
    measures: {
      bare: bareStream(bench),
      'ours-1': servedStream(bench, 'ours-1', subscribers),
      'ours-2': servedStream(bench, 'ours-2', subscribers),
      original: originalStream(bench, subscribers),
    },
  }),
}));
