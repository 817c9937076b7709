import type { PatchedFields, SentChange } from '../history';
import type { FindingBuilder } from './finding-builder';
import { nameOf } from './gaps';
import { documentKey, evidenceFor, type ScopeIndex, type SeenEntry } from './scope-index';
import { evidenceOf, tookEffect, type Sending } from './sendings';

interface PatchFault {
  readonly message: () => string;
  readonly shown: () => ReturnType<typeof evidenceFor>;
}

/** What patches did to documents that is not what they asked for. */
export interface PatchFaults {
  /** Something that was asked for is not there. */
  readonly lost: readonly PatchFault[];
  /** There is more than was asked for. */
  readonly twice: readonly PatchFault[];
  readonly compared: number;
}

/**
 * Follows each document through the log: what a patch adds, removes and counts takes effect once, on what stood before it,
 * whatever others did meanwhile. Where a document was only patched, its number is the sum of all that were taken.
 */
export function findPatchFaults(scope: ScopeIndex): PatchFaults {
  const search = new Search(scope);
  search.run();
  return search;
}

export function judgePatches(faults: PatchFaults, which: 'lost' | 'twice', found: FindingBuilder): void {
  found.checked(faults.compared);
  for (const { message, shown } of faults[which]) found.violated(message, shown);
}

class Search implements PatchFaults {
  readonly lost: PatchFault[] = [];
  readonly twice: PatchFault[] = [];
  compared = 0;

  constructor(private readonly scope: ScopeIndex) {}

  run(): void {
    const { final, byDocument } = this.scope;
    if (final === null) return;
    const counted = this.#countedByDocument();
    for (const [key, all] of byDocument) {
      // Between two that were read without a gap there is no other.
      const entries = all.filter(({ version }) => version > final.from && version <= final.to);
      let before: SeenEntry | null = null;
      for (const entry of entries) {
        if (before !== null) this.#step(before, entry);
        before = entry;
      }
      if (final.from === '') this.#sum(entries, counted.get(key) ?? []);
    }
  }

  #step(before: SeenEntry, entry: SeenEntry): void {
    const writers = entry.sight.entry.mutation === undefined ? [] : this.scope.writersOf(entry);
    const change = writers[0]?.change;
    const [was, is] = [before.sight.entry.fields, entry.sight.entry.fields];
    // A patch of a deletion begins with what the device had.
    if (change?.operation !== 'patch' || was === undefined || is === undefined) return;
    this.compared += 1;
    const { inc = 0, add = [], remove = [] } = change.patch ?? {};
    const expected = (was.count ?? 0) + inc;
    if ((is.count ?? 0) !== expected)
      this.#fault(
        (is.count ?? 0) > expected ? this.twice : this.lost,
        before,
        entry,
        writers,
        () => `adds ${inc} to ${was.count ?? 0}, and left ${is.count ?? 'no number'}`,
      );
    const values = afterPatch(was.list ?? [], add, remove);
    if (!sameList(is.list ?? [], values))
      this.#fault(
        (is.list ?? []).length > values.length ? this.twice : this.lost,
        before,
        entry,
        writers,
        () =>
          `adds ${add.join() || 'nothing'} to and removes ${remove.join() || 'nothing'} from ` +
          `${(was.list ?? []).join() || 'nothing'}, and left ${(is.list ?? []).join() || 'nothing'}`,
      );
    if (!isOneOf(is.optional, change, writers, was))
      this.#fault(
        this.lost,
        before,
        entry,
        writers,
        () => `left the text "${is.optional ?? ''}", not what it asks for`,
      );
  }

  #fault(
    to: PatchFault[],
    before: SeenEntry,
    entry: SeenEntry,
    writers: readonly Sending[],
    what: () => string,
  ): void {
    to.push({
      message: () =>
        `The patch ${writers[0]?.change.mutation ?? ''} (${this.scope.name}) that wrote ${nameOf(entry)} ${what()}.`,
      shown: () => [...evidenceOf(...writers.slice(0, 1)), ...evidenceFor(before), ...evidenceFor(entry)],
    });
  }

  /** Of changes that count: those that took effect, by document. */
  #countedByDocument(): Map<string, Sending[]> {
    const counted = new Map<string, Sending[]>();
    for (const sendings of this.scope.sendingsByMutation.values()) {
      const [first] = sendings;
      if (first === undefined || first.change.flaw !== null || first.change.operation !== 'patch') continue;
      const took = sendings.find(({ result }) => tookEffect(result)) ?? null;
      if (took === null && this.scope.writtenBy(first).length === 0) continue;
      const key = documentKey(first.change.collection, first.change.docId);
      counted.set(key, [...(counted.get(key) ?? []), took ?? first]);
    }
    return counted;
  }

  #sum(entries: readonly SeenEntry[], counted: readonly Sending[]): void {
    const [first, ...rest] = entries;
    const last = rest.at(-1);
    const from = first?.sight.entry.fields;
    const to = last?.sight.entry.fields;
    if (first === undefined || last === undefined || from === undefined || to === undefined) return;
    const { final } = this.scope;
    // Answers that came after the last reading are not in it.
    const known = counted.filter(({ push }) => push.answeredAt <= (final?.lastSentAt ?? 0));
    if (rest.some((entry) => this.scope.writersOf(entry)[0]?.change.operation !== 'patch')) return;
    this.compared += 1;
    const sum = known.reduce((total, { change }) => total + (change.patch?.inc ?? 0), from.count ?? 0);
    if (sum === (to.count ?? 0)) return;
    const fault: PatchFault = {
      message: () =>
        `${last.collection} ${last.docId} (${this.scope.name}) was only patched: ${known.length} patches make ${sum}, and it ` +
        `has ${to.count ?? 'no number'}.`,
      shown: () => [...evidenceFor(first), ...evidenceFor(last)],
    };
    ((to.count ?? 0) > sum ? this.twice : this.lost).push(fault);
  }
}

function afterPatch(list: readonly string[], add: readonly string[], remove: readonly string[]): string[] {
  return [...list, ...add.filter((value) => !list.includes(value))].filter(
    (value) => !remove.includes(value),
  );
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, at) => value === b[at]);
}

/** What is set may lose against a newer value, unless the answer says that nothing was in its way. */
function isOneOf(
  value: string | null,
  { patch }: SentChange,
  writers: readonly Sending[],
  was: PatchedFields,
): boolean {
  const asked = patch?.optional;
  if (asked === undefined) return value === was.optional;
  if (value === asked) return true;
  return value === was.optional && !writers.some(({ result }) => result?.status === 'accepted');
}
