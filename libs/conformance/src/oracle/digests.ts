import { hashOf, numberOf } from '../wire/digest';
import type { DigestEvent, DigestOfCollection, DigestPart } from '../history';
import type { FindingBuilder } from './finding-builder';
import { documentKey, type ScopeIndex } from './scope-index';
import { cursorText } from './stamps';

interface Sum {
  count: number;
  number: bigint;
}

interface Counted {
  readonly part: Sum;
  readonly number: bigint;
  readonly version: string;
  readonly tombstoneOf: string | null;
}

/** Counts and hashes that a device keeps up to date while it follows the log. */
class Running {
  readonly #documents = new Map<string, Counted>();
  readonly collections = new Map<string, { readonly live: Sum; readonly deleted: Sum }>();

  put(entry: Parameters<typeof numberOf>[0] & { readonly isDeleted: boolean }): void {
    const { collection, docId, isDeleted } = entry;
    const sums = this.collections.get(collection) ?? { live: empty(), deleted: empty() };
    this.collections.set(collection, sums);
    const key = documentKey(collection, docId);
    const before = this.#documents.get(key);
    if (before) add(before.part, -1, -before.number);
    const number = numberOf(entry);
    const part = isDeleted ? sums.deleted : sums.live;
    add(part, 1, number);
    this.#documents.set(key, {
      part,
      number,
      version: entry.version,
      tombstoneOf: isDeleted ? collection : null,
    });
  }

  /** The tombstones of a collection, without those up to a version. */
  tombstonesAbove(floor: string | null | undefined, collection: string): Sum {
    const sum = { ...(this.collections.get(collection)?.deleted ?? empty()) };
    if (floor == null) return sum;
    for (const { tombstoneOf, version, number } of this.#documents.values())
      if (tombstoneOf === collection && version <= floor) add(sum, -1, -number);
    return sum;
  }
}

/**
 * What the server says that it has at a moment is what a device that stands there has: by the log, where it was read from its
 * beginning, else by a full resync with nothing written between the two.
 */
export function judgeDigests(scope: ScopeIndex, found: FindingBuilder): void {
  const given = scope.digests.filter(({ collections }) => collections !== null);
  if (scope.final?.from === '') byLog(scope, scope.final.to, given, found);
  else for (const digest of given) byFull(scope, digest, found);
}

function byLog(scope: ScopeIndex, end: string, given: readonly DigestEvent[], found: FindingBuilder): void {
  const running = new Running();
  const rising = [...given].sort((a, b) => (cursorText(a.lastSeq) < cursorText(b.lastSeq) ? -1 : 1));
  let next = 0;
  for (const digest of rising) {
    const until = cursorText(digest.lastSeq);
    if (until > end) continue;
    for (
      let entry = scope.log[next];
      entry !== undefined && entry.version <= until;
      entry = scope.log[next]
    ) {
      running.put({ ...entry.sight.entry, isDeleted: entry.sight.entry.operation === 'delete' });
      next += 1;
    }
    compare(scope, digest, running, found);
  }
}

function byFull(scope: ScopeIndex, digest: DigestEvent, found: FindingBuilder): void {
  const full = scope.fulls.find(
    ({ lastSeq, rows, answeredAt }) =>
      rows !== null && lastSeq === digest.lastSeq && answeredAt < digest.sentAt,
  );
  if (!full?.rows) return;
  const running = new Running();
  for (const { version, deleted, ...row } of full.rows)
    if (version !== null) running.put({ ...row, version, isDeleted: deleted });
  compare(scope, digest, running, found);
}

function compare(scope: ScopeIndex, digest: DigestEvent, running: Running, found: FindingBuilder): void {
  const told = new Map((digest.collections ?? []).map((each) => [each.collection, each]));
  for (const [name, { live }] of running.collections) {
    const deleted = running.tombstonesAbove(digest.tombstoneFloor, name);
    found.checked();
    const mine = { collection: name, live: partOf(live), deleted: partOf(deleted) };
    const theirs = told.get(name);
    if (theirs && same(theirs.live, mine.live) && same(theirs.deleted, mine.deleted)) continue;
    found.violated(
      () =>
        `The digest of ${name} (${scope.name}) at ${digest.lastSeq ?? ''} is ${theirs ? textOf(theirs) : 'missing'}; a ` +
        `device there has ${textOf(mine)}.`,
      () => [digest, ...scope.lastFinalPage()],
    );
  }
}

function empty(): Sum {
  return { count: 0, number: 0n };
}

function add(sum: Sum, count: number, number: bigint): void {
  sum.count += count;
  sum.number += number;
}

function partOf({ count, number }: Sum): DigestPart {
  return { count, hash: hashOf([number]) };
}

function same(a: DigestPart, b: DigestPart): boolean {
  return a.count === b.count && a.hash === b.hash;
}

function textOf({ live, deleted }: DigestOfCollection): string {
  return `${live.count} documents ${live.hash} and ${deleted.count} tombstones ${deleted.hash}`;
}
