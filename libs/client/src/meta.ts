import type { SyncInfo } from 'nest-offline-sync-protocol';
import type { Position } from './rules/reader-state.ts';
import { NO_DENIALS, type Denials } from './rules/rights.ts';
import type { KeyedStore } from './storage.ts';

/** What the store `meta` holds, by name. */
export interface MetaRecords {
  /** This installation: `client_id`, and the part of its stamps that names it. New with each new database. */
  readonly client: { readonly id: string; readonly node: string };
  readonly position: Position;
  readonly clock: ClockRecord;
  /** The last number of an edit. */
  readonly counter: { readonly seq: number };
  /** Rises with each leader: only the newest one writes what the server said. After a logout nobody writes, until it is opened again. */
  readonly epoch: { readonly n: number; readonly isOut?: true };
  readonly server: ServerRecord;
  /** The version of each collection that its unsent edits were last written in. */
  readonly shapes: Readonly<Record<string, number>>;
  readonly denials: Denials;
}

export interface ClockRecord {
  /** How far the server's clock is ahead, milliseconds; missing until it has said its time. */
  readonly offset?: number | undefined;
  /** The newest stamp that the server took. */
  readonly last: string | null;
  /** The newest version that was seen. */
  readonly seen: string | null;
}

export interface ServerRecord {
  /** `X-Sync-Identity`: who this data belongs to. */
  readonly identity?: string | undefined;
  readonly info?: SyncInfo | undefined;
}

const EMPTY: { readonly [N in keyof MetaRecords]?: MetaRecords[N] } = {
  position: { generation: 0, isComplete: false },
  clock: { last: null, seen: null },
  counter: { seq: 0 },
  epoch: { n: 0 },
  server: {},
  shapes: {},
  denials: NO_DENIALS,
};

export async function readMeta<N extends keyof MetaRecords>(
  meta: KeyedStore<string>,
  name: N,
): Promise<MetaRecords[N]> {
  return ((await meta.get(name)) ?? EMPTY[name]) as MetaRecords[N];
}

export function writeMeta<N extends keyof MetaRecords>(
  meta: KeyedStore<string>,
  name: N,
  value: MetaRecords[N],
): Promise<void> {
  return meta.put(name, value);
}
