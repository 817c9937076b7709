import type { DocId, FullEnd, FullLine } from 'nest-offline-sync-protocol';
import { readMeta, writeMeta } from './meta.ts';
import type { Replica } from './replica.ts';
import { pageLoaded, type Loaded } from './rules/reader-state.ts';
import type { Line } from './transport.ts';

/** Asks for a page of a load, the first one also for about how many rows there are. */
export function fullQuery(
  collections: readonly string[],
  page: string | undefined,
): Readonly<Record<string, string | undefined>> {
  const count = page === undefined ? 'true' : undefined;
  return { collections: collections.join(','), cursor: page, tombstones: 'false', count };
}

/**
 * Takes a page of a load as it comes, and stores it.
 *
 * A page that breaks off is asked for again. What was stored of it counts like the rest: the cursor that follows the load is
 * older than all of its answers, so the log tells what has changed or gone since.
 */
export class LoadPage {
  /** It has come to its end, or it is of no use any more. */
  isOver = false;
  private rows = 0;
  private early: FullLine[] = [];

  constructor(
    private readonly replica: Replica,
    private readonly page: string | undefined,
    private readonly collections: readonly string[],
    private readonly ports: { readonly collections: readonly string[]; readonly changed: () => void },
  ) {}

  /** @returns false: there is no use in the rest */
  async take(lines: readonly Line[], header: (name: string) => string | null): Promise<boolean> {
    const end = lines.at(-1)?.['end'] === true ? (lines.at(-1) as unknown as FullEnd) : undefined;
    const rows = (end ? lines.slice(0, -1) : lines) as unknown as FullLine[];
    this.early.push(...rows.filter((each) => this.ports.collections.includes(each.collection)));
    const lastSeq = end?.last_seq ?? header('x-sync-lastseq');
    // Where the position is not told first, nothing is stored before it.
    if (typeof lastSeq !== 'string') return true;
    const count = Number(header('x-sync-count') ?? NaN);
    const isTaken = await this.store(this.early, {
      lastSeq,
      collections: this.collections,
      rows: (this.rows += this.early.length),
      ...(end ? { next: end.cursor } : {}),
      ...(Number.isFinite(count) ? { of: count } : {}),
    });
    this.early = [];
    this.ports.changed();
    this.isOver = end !== undefined || !isTaken;
    return !this.isOver;
  }

  private store(rows: readonly FullLine[], loaded: Loaded): Promise<boolean> {
    return this.replica.write('leader', async (work) => {
      const position = await readMeta(work.stores.meta, 'position');
      if (!position.load || position.load.isSweeping || position.load.page !== this.page) return false;
      const { generation } = position;
      for (const [collection, all] of idsOf(rows)) await work.hold(collection, all);
      for (const { collection, doc_id: id, version, data, deleted } of rows)
        await work.learn(collection, { id, version, data: deleted ? null : data, generation });
      await writeMeta(work.stores.meta, 'position', pageLoaded(position, loaded));
      return true;
    });
  }
}

/** Of each collection. */
export function idsOf(all: readonly Pick<FullLine, 'collection' | 'doc_id'>[]): ReadonlyMap<string, DocId[]> {
  const ids = new Map<string, DocId[]>();
  for (const { collection, doc_id: id } of all) {
    const some = ids.get(collection) ?? [];
    some.push(id);
    ids.set(collection, some);
  }
  return ids;
}
