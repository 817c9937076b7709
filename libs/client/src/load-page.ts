import type { FullEnd, FullLine, SyncInfo } from 'nest-offline-sync-protocol';
import { byCollection } from './by-collection.ts';
import { readMeta } from './meta.ts';
import type { Replica } from './replica.ts';
import { pageLoaded, type Loaded } from './rules/reader-state.ts';
import type { TakeLines } from './transport.ts';

/**
 * How many rows to ask for next. Each page costs a round trip, and one that breaks off comes again: so pages grow while they come whole.
 *
 * @param last asked for, if that page came whole
 */
export function rowsOfPage({ limits }: Partial<SyncInfo> = {}, last?: number): number | undefined {
  return limits && Math.min(limits.max_full_limit, last === undefined ? limits.default_full_limit : 4 * last);
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
    /** With the collections of the client's options. */
    private readonly client: { readonly collections: readonly string[] },
    /** How many rows are asked for. */
    readonly size: number | undefined,
  ) {}

  /** Asks for it; with the first page of a load also for about how many rows there are. */
  get query(): Readonly<Record<string, string | undefined>> {
    return {
      collections: this.collections.join(','),
      cursor: this.page,
      limit: this.size?.toString(),
      tombstones: 'false',
      count: this.page === undefined ? 'true' : undefined,
    };
  }

  /** @returns false: there is no use in the rest */
  readonly take: TakeLines = async (lines, header) => {
    const end = lines.at(-1)?.['end'] === true ? (lines.at(-1) as unknown as FullEnd) : undefined;
    const rows = (end ? lines.slice(0, -1) : lines) as unknown as FullLine[];
    this.early.push(...rows.filter((each) => this.client.collections.includes(each.collection)));
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
    this.isOver = end !== undefined || !isTaken;
    return !this.isOver;
  };

  private store(rows: readonly FullLine[], loaded: Loaded): Promise<boolean> {
    return this.replica.write('leader', async (work) => {
      const all = byCollection(rows);
      const [position] = await Promise.all([
        readMeta(work.stores.meta, 'position'),
        ...[...all].map(([name, some]) =>
          work.documents.hold(
            name,
            some.map((each) => each.doc_id),
          ),
        ),
      ]);
      if (!position.load || position.load.isSweeping || position.load.page !== this.page) return false;
      const { generation } = position;
      for (const [collection, some] of all)
        await work.learn(
          collection,
          some.map(({ doc_id: id, version, data, deleted }) => ({
            id,
            version,
            data: deleted ? null : data,
            generation,
          })),
        );
      await work.move(pageLoaded(position, loaded));
      return true;
    });
  }
}
