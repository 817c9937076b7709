/** One planned fault: when, what, to whom, for how long. Milliseconds since the run began. */
export interface Fault {
  readonly at: number;
  readonly kind: FaultKind;
  /** A random number that the injector takes its victim from; of servers, the index itself. */
  readonly target: number;
  readonly durationMs: number;
}

/** Faults of one lane come one after another; lanes know nothing of each other. */
export type Lane = 'member' | 'command' | 'network' | 'server' | 'client' | 'clock';

interface KindRule {
  readonly lane: Lane;
  /** Shortest and longest, milliseconds. */
  readonly lasts: readonly [number, number];
}

/**
 * Every kind of fault. At most one member and one server are down at a time, so that a majority and somebody to ask
 * remain; but for `set-killed`, after which nothing can be written until they are back.
 */
export const FAULTS = {
  /** kill -9 of the primary, started again later. */
  'primary-killed': { lane: 'member', lasts: [3_000, 10_000] },
  'primary-stepped-down': { lane: 'member', lasts: [2_000, 10_000] },
  /** SIGSTOP, SIGCONT: it wakes up and takes itself for the primary. */
  'primary-frozen': { lane: 'member', lasts: [4_000, 15_000] },
  /** Nothing reaches it and none of its answers get out; what it sends on its own does. */
  'primary-unreachable': { lane: 'member', lasts: [4_000, 15_000] },
  'secondary-killed': { lane: 'member', lasts: [3_000, 10_000] },
  'secondary-frozen': { lane: 'member', lasts: [3_000, 10_000] },
  /** kill -9 of all three at once, as in a power failure: what was acknowledged is in their journals. */
  'set-killed': { lane: 'member', lasts: [500, 3_000] },
  /** Its disk is full; it ends, and is started again when there is room. */
  'disk-full': { lane: 'member', lasts: [3_000, 8_000] },

  /** The connection breaks before the commit is heard. */
  'commit-never-heard': { lane: 'command', lasts: [300, 2_000] },
  /** The commit happens, and its answer says that the outcome is unknown. */
  'commit-unknown': { lane: 'command', lasts: [300, 3_000] },
  /** Conflicts, no primary, shutdown: labelled as transient. */
  'transient-errors': { lane: 'command', lasts: [300, 3_000] },
  'commits-slow': { lane: 'command', lasts: [2_000, 6_000] },
  /** The change streams' getMore fails. */
  'change-stream-broken': { lane: 'command', lasts: [300, 2_000] },
  /** Their cursors are gone. */
  'cursors-killed': { lane: 'command', lasts: [100, 100] },
  /** The log of the database no longer has the place to go on from. */
  'change-stream-history-lost': { lane: 'command', lasts: [500, 2_000] },

  /** The commit happens, and its answer is lost with the connection. */
  'commit-reply-lost': { lane: 'network', lasts: [300, 2_000] },
  'connections-cut': { lane: 'network', lasts: [100, 100] },
  'connections-slow': { lane: 'network', lasts: [2_000, 8_000] },

  'server-killed': { lane: 'server', lasts: [500, 5_000] },
  'server-frozen': { lane: 'server', lasts: [3_000, 12_000] },
  /** SIGTERM and a new start, one after another. */
  'servers-rolled': { lane: 'server', lasts: [100, 100] },

  'requests-cut': { lane: 'client', lasts: [500, 3_000] },
  'answers-cut': { lane: 'client', lasts: [500, 3_000] },
  'sockets-cut': { lane: 'client', lasts: [100, 100] },

  'clock-ahead': { lane: 'clock', lasts: [5_000, 30_000] },
  'clock-behind': { lane: 'clock', lasts: [5_000, 30_000] },
} as const satisfies Record<string, KindRule>;

export type FaultKind = keyof typeof FAULTS;

export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[];

/** Between the end of a fault and the next one of its lane; milliseconds. */
const PAUSES: Record<Lane, readonly [number, number]> = {
  member: [10_000, 20_000],
  command: [2_000, 8_000],
  network: [3_000, 12_000],
  server: [8_000, 20_000],
  client: [2_000, 8_000],
  clock: [5_000, 20_000],
};

/** The last milliseconds, in which no fault is active. */
export const CALM_MS = 15_000;

export interface ScheduleOptions {
  readonly seed: number;
  readonly lengthMs: number;
  readonly servers: number;
  /** Kinds that the machine cannot do, or that are not wanted. */
  readonly without?: readonly FaultKind[];
}

/**
 * A random schedule, the same for the same options, in the order of time. In each lane every kind comes once before
 * any comes twice, and whatever begins also ends before the calm.
 */
export function schedule({ seed, lengthMs, servers, without = [] }: ScheduleOptions): Fault[] {
  const faults: Fault[] = [];
  const end = lengthMs - CALM_MS;
  (Object.keys(PAUSES) as Lane[]).forEach((lane, index) => {
    const random = randomFrom(seed * 31 + index);
    const between = ([low, high]: readonly [number, number]): number =>
      Math.round(low + random() * (high - low));
    const kinds = FAULT_KINDS.filter((kind) => FAULTS[kind].lane === lane && !without.includes(kind));
    let bag: FaultKind[] = [];
    // The first ones come soon, and not all at once.
    let at = Math.round(1_000 + random() * PAUSES[lane][0]);
    while (kinds.length > 0) {
      if (bag.length === 0) bag = [...kinds];
      const [kind] = bag.splice(Math.floor(random() * bag.length), 1);
      if (kind === undefined) break;
      const durationMs = between(FAULTS[kind].lasts);
      if (at + durationMs > end) break;
      faults.push({ at, kind, target: Math.floor(random() * servers), durationMs });
      at += durationMs + between(PAUSES[lane]);
    }
  });
  return faults.sort((a, b) => a.at - b.at);
}

/** mulberry32 (Tommy Ettinger, public domain): 0 up to 1. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
