import { createHash } from 'node:crypto';
import mongoose from 'mongoose';
import { DigestSum, digestText, type DigestPart } from 'nest-offline-sync-protocol';
import { SYNC_FIELDS, type StoredDocument, type StoredId } from '../codec/stored-document';
import { pause } from '../database/waiting';
import type { OplogRepository } from '../log/oplog';
import { documentHere, textAt, type ComparedCollection } from './compared-collection';
import {
  differenceOf,
  type DocumentElsewhere,
  type DocumentHere,
  type Finding,
  type NewestEntry,
} from './difference';
import { keyOf, Moment, type Newest } from './moment';

const { MinKey, MaxKey } = mongoose.mongo;

/** Findings that are held until they are looked at again. */
const HELD = 500;
/** Between two looks, and where other code's writes are recorded by themselves. Milliseconds. */
const SETTLE_MS = 200;
const CAPTURE_SETTLE_MS = 2_000;
/** A document that is recorded between all of them is being written: it is no difference. */
const MOST_LOOKS = 3;

/** What was counted of one collection of one scope. */
export interface Tally {
  readonly live: number;
  readonly tombstones: number;
  /** Documents that lie below the floor and have no hash: of their content nobody can tell whether it was recorded. */
  readonly unknown: number;
  /** Documents whose version is above the floor, and the newest entries above it: the same, if nothing differs. */
  readonly documents: DigestPart;
  readonly log: DigestPart;
}

interface Held extends Finding {
  readonly at: number;
}

/**
 * Compares a collection's documents of one scope with what the newest log entries say, in windows of ids. Each window is read
 * from one snapshot, head, documents and entries, so pushes may go on meanwhile, and nothing grows with the scope.
 *
 * What differs is looked at again after a moment: it may be a write that is recorded just then.
 */
export class CollectionComparison {
  private readonly documents = new DigestSum();
  private readonly log = new DigestSum();
  private live = 0;
  private tombstones = 0;
  private unknown = 0;
  private held: Held[] = [];

  constructor(
    private readonly oplog: OplogRepository,
    private readonly collection: ComparedCollection,
    private readonly scope: string,
    private readonly signal: AbortSignal,
  ) {}

  get tally(): Tally {
    const { live, tombstones, unknown } = this;
    return { live, tombstones, unknown, documents: this.documents.part, log: this.log.part };
  }

  /** What differs, and still does; empty lists in between. Ends early when the signal fires. */
  async *findings(): AsyncGenerator<readonly Finding[]> {
    for (let from: StoredId = new MinKey(); !(from instanceof MaxKey) && !this.signal.aborted;) {
      const moment = new Moment(this.oplog, this.scope);
      try {
        const { store, name } = this.collection;
        const floor = (await moment.head())?.floor ?? '';
        let { rows, next: to } = await moment.documents(store, from);
        const { entries, next } = await moment.newest(name, { from, to }, floor);
        if (next) ({ rows, next: to } = await moment.documents(store, from, next.id));
        this.count(rows);
        for await (const found of this.compare(moment, rows, entries, floor, true)) {
          this.held.push({ ...found, at: performance.now() });
          if (this.held.length >= HELD) yield await this.settled();
        }
        from = to;
        // Who asked is told how far it is.
        yield [];
      } finally {
        await moment.close();
      }
    }
    yield await this.settled();
  }

  /** Documents as they stand now. */
  async look(ids: readonly StoredId[]): Promise<Finding[]> {
    const moment = new Moment(this.oplog, this.scope);
    try {
      const { store, name } = this.collection;
      const floor = (await moment.head())?.floor ?? '';
      const rows = await moment.byIds(store, ids);
      const { entries } = await moment.newest(name, { in: ids }, floor);
      const found: Finding[] = [];
      for await (const finding of this.compare(moment, rows, entries, floor, false)) found.push(finding);
      return found;
    } finally {
      await moment.close();
    }
  }

  /** Those of the held findings that nobody has recorded meanwhile. */
  private async settled(): Promise<Finding[]> {
    const settled: Finding[] = [];
    let open = this.held;
    this.held = [];
    for (let looks = 0; looks < MOST_LOOKS && open.length > 0; looks++) {
      const settle = this.collection.isCaptured ? CAPTURE_SETTLE_MS : SETTLE_MS;
      const newest = Math.max(...open.map(({ at }) => at));
      await pause(Math.max(0, newest + settle - performance.now()), this.signal);
      if (this.signal.aborted) return [];
      const found = await this.look(open.map(({ storedId }) => storedId));
      const before = new Map(open.map((finding) => [finding.key, finding]));
      open = [];
      for (const finding of found) {
        if (finding.log === before.get(finding.key)?.log) settled.push(finding);
        else open.push({ ...finding, at: performance.now() });
      }
    }
    return settled;
  }

  private count(rows: readonly StoredDocument[]): void {
    for (const row of rows)
      if (row[SYNC_FIELDS.scope] !== this.scope) continue;
      else if (row[SYNC_FIELDS.deleted] === true) this.tombstones += 1;
      else this.live += 1;
  }

  private async *compare(
    moment: Moment,
    rows: readonly StoredDocument[],
    entries: readonly Newest[],
    floor: string,
    isCounted: boolean,
  ): AsyncGenerator<Finding> {
    // A document that belongs to several scopes is in none.
    const here = rows.filter((row) => row[SYNC_FIELDS.scope] === this.scope);
    const seen = new Map(here.map((row) => [keyOf(row['_id']), row]));
    const same = new Map<string, StoredDocument>();
    let lost: Newest[] = [];
    for (const newest of entries) {
      const key = keyOf(newest.doc);
      const row = seen.get(key);
      seen.delete(key);
      if (isCounted && row) this.log.add(this.hash(key, newest.version));
      if (!row) lost.push(newest);
      else if (textAt(row, SYNC_FIELDS.version) === newest.version) same.set(newest.version, row);
      // What it tells need not be read.
      else yield* this.judged(row, { ...newest, operation: 'upsert', data: null }, floor, isCounted);
      if (lost.length === HELD) {
        yield* this.lost(moment, lost, floor, isCounted);
        lost = [];
      }
    }
    yield* this.lost(moment, lost, floor, isCounted);
    for await (const entry of moment.told([...same.keys()], true))
      yield* this.judged(same.get(entry.version), entry, floor, isCounted);
    for (const row of seen.values()) yield* this.judged(row, undefined, floor, isCounted);
  }

  private *judged(
    row: StoredDocument | undefined,
    entry: NewestEntry | undefined,
    floor: string,
    isCounted: boolean,
  ): Generator<Finding> {
    if (!row) return;
    const document = documentHere(row, this.collection);
    const [storedId, key] = [row['_id'], keyOf(row['_id'])];
    const { version, deleted, hash } = document;
    if (isCounted && version !== undefined) {
      if (version > floor) this.documents.add(this.hash(key, version));
      else if (!entry && !deleted && hash === 'none') this.unknown += 1;
    }
    yield* this.finding(storedId, document, entry, floor);
  }

  private async *lost(
    moment: Moment,
    entries: readonly Newest[],
    floor: string,
    isCounted: boolean,
  ): AsyncGenerator<Finding> {
    if (entries.length === 0) return;
    const ids = entries.map(({ doc }) => doc);
    const projection = { [SYNC_FIELDS.scope]: 1, [SYNC_FIELDS.version]: 1 } as const;
    const rows = await moment.byIds(this.collection.store, ids, projection);
    const elsewhere = new Map(rows.map((row) => [keyOf(row['_id']), row]));
    const docs = new Map(entries.map(({ doc, version }) => [version, doc]));
    for await (const entry of moment.told([...docs.keys()], false)) {
      const storedId = docs.get(entry.version);
      const row = elsewhere.get(keyOf(storedId));
      const found = [...this.finding(storedId, row && elsewhereOf(row), entry, floor)];
      if (isCounted && found.length > 0) this.log.add(this.hash(keyOf(storedId), entry.version));
      yield* found;
    }
  }

  private *finding(
    storedId: StoredId,
    document: DocumentHere | DocumentElsewhere | undefined,
    entry: NewestEntry | undefined,
    floor: string,
  ): Generator<Finding> {
    const what = differenceOf(document, entry, floor);
    if (what === undefined) return;
    yield {
      storedId,
      key: keyOf(storedId),
      what,
      document: document?.version ?? null,
      log: entry?.version ?? null,
    };
  }

  private hash(key: string, version: string): Buffer {
    return createHash('sha256')
      .update(digestText(this.collection.name, key, version))
      .digest();
  }
}

function elsewhereOf(row: StoredDocument): DocumentElsewhere {
  return {
    at: 'elsewhere',
    scope: textAt(row, SYNC_FIELDS.scope),
    version: textAt(row, SYNC_FIELDS.version),
  };
}
