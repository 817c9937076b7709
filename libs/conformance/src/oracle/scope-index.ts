import type {
  AppWriteEvent,
  DigestEvent,
  FullEvent,
  HistoryEvent,
  PullEvent,
  PushEvent,
  Seen,
  StreamEvent,
} from '../history';
import { cutPull, cutRead } from './evidence';
import { finalReadOf, type FinalRead } from './final-read';
import {
  evidenceOf,
  keyOf,
  mayHaveTakenEffect,
  mutationKey,
  sendingsOf,
  tookEffect,
  type Sending,
} from './sendings';
import { byVersion, cursorText } from './stamps';

/** What is known of one entry of the log: the first sight of it, or an answer that names it. */
export interface LogEntry {
  readonly version: string;
  readonly collection: string;
  readonly docId: string;
  /** Where it was first seen; null: only an answer names it. */
  readonly sight: Sight | null;
  /** The push that was answered with this version. */
  ack: Sending | null;
  /** When the latest read began that gave it; -Infinity when none did. */
  lastReadAt: number;
}

export interface Sight {
  readonly event: PullEvent | StreamEvent;
  readonly entry: Seen;
}

/** An entry that somebody has seen. */
export type SeenEntry = LogEntry & { readonly sight: Sight };

export type ScopeEvent = PushEvent | PullEvent | StreamEvent | FullEvent | DigestEvent | AppWriteEvent;

/** What happened in one log. */
export class ScopeIndex {
  readonly pushes: PushEvent[] = [];
  readonly pulls: PullEvent[] = [];
  readonly fulls: FullEvent[] = [];
  readonly digests: DigestEvent[] = [];
  readonly appWrites: AppWriteEvent[] = [];
  /** Events of each reader, over all its connections. */
  readonly streams = new Map<string, StreamEvent[]>();
  readonly sendingsByMutation = new Map<string, Sending[]>();
  readonly sendingsByMarker = new Map<string, Sending[]>();
  readonly appWriteByMarker = new Map<string, AppWriteEvent>();
  /** Seen or acknowledged, by version. */
  readonly known = new Map<string, LogEntry>();
  /** Seen by anyone, rising. */
  log: readonly SeenEntry[] = [];
  /** Entries that the change with this marker wrote, as far as that is known. */
  readonly byMarker = new Map<string, SeenEntry[]>();
  /** Entries that say whose they are, by client and mutation. */
  readonly byMutation = new Map<string, SeenEntry[]>();
  /** Rising, by collection and document. */
  readonly byDocument = new Map<string, SeenEntry[]>();
  /** Where an answered conflict left a different marker from the change's: a merge, or the app's resolver. */
  readonly merging = new Set<string>();
  /** Versions that an answered merge gave. */
  readonly merged = new Set<string>();
  /** The last complete reading of the log; null when there was none. */
  final: FinalRead | null = null;

  readonly #subscribedAt = new Map<string, number>();
  #open: ReadonlySet<string> | null = null;

  constructor(
    /** `main`, `other`, or the scope that was named. */
    readonly name: string,
    /** Undefined: of the tenant's own. */
    readonly scope?: string,
  ) {}

  add(event: ScopeEvent): void {
    switch (event.kind) {
      case 'push':
        this.#addPush(event);
        break;
      case 'pull':
        this.pulls.push(event);
        if (event.page !== null && 'changes' in event.page) {
          for (const entry of event.page.changes) this.#see(entry, event, event.sentAt);
        }
        break;
      case 'stream':
        push(this.streams, event.reader, event);
        if (event.what.is === 'subscribed') this.#subscribedAt.set(event.reader, event.at);
        if (event.what.is === 'entry') {
          this.#see(event.what.entry, event, this.#subscribedAt.get(event.reader) ?? event.at);
        }
        break;
      case 'full':
        this.fulls.push(event);
        break;
      case 'digest':
        this.digests.push(event);
        break;
      case 'app-write':
        this.appWrites.push(event);
        this.appWriteByMarker.set(event.marker, event);
        break;
    }
  }

  /** After the last event. */
  finish(): void {
    const seen: SeenEntry[] = [];
    for (const entry of this.known.values()) if (wasSeen(entry)) seen.push(entry);
    this.log = seen.sort(byVersion);
    for (const entry of this.log) {
      const { marker, client, mutation } = entry.sight.entry;
      const key = mutation === undefined ? null : keyOf(client ?? '', mutation);
      if (key !== null) push(this.byMutation, key, entry);
      // A merge, or a patch that leaves the text alone, shows the marker of another change.
      const sent = key === null ? undefined : this.sendingsByMutation.get(key)?.[0]?.change;
      if (marker !== null && (sent === undefined || sent.marker === marker))
        push(this.byMarker, marker, entry);
      push(this.byDocument, documentKey(entry.collection, entry.docId), entry);
    }
    this.final = finalReadOf(this.pulls);
    for (const sendings of this.sendingsByMarker.values()) {
      for (const { change, result } of sendings) this.#noteMerge(change.collection, change.marker, result);
    }
  }

  /** Entries that the change of a sending wrote, in whichever of its sendings; empty where none is known. */
  writtenBy(sending: Sending): readonly SeenEntry[] {
    const key = mutationKey(sending);
    const { marker } = sending.change;
    const byMutation = key === null ? undefined : this.byMutation.get(key);
    return byMutation ?? (marker === null ? undefined : this.byMarker.get(marker)) ?? [];
  }

  /** All sendings of the same change. */
  sendingsOf(sending: Sending): readonly Sending[] {
    const { marker } = sending.change;
    if (marker !== null) return this.sendingsByMarker.get(marker) ?? [];
    return this.sendingsByMutation.get(mutationKey(sending) ?? '') ?? [sending];
  }

  /** The sendings of the change that wrote an entry, as far as the entry or its marker says it. */
  writersOf({ sight }: LogEntry): readonly Sending[] {
    if (sight === null) return [];
    const { client, mutation, marker } = sight.entry;
    const byMutation =
      mutation === undefined ? undefined : this.sendingsByMutation.get(keyOf(client ?? '', mutation));
    return byMutation ?? (marker === null ? undefined : this.sendingsByMarker.get(marker)) ?? [];
  }

  /** Documents of changes with an unknown outcome. */
  openDocuments(): ReadonlySet<string> {
    this.#open ??= new Set(this.#openKeys());
    return this.#open;
  }

  *#openKeys(): Generator<string> {
    for (const [marker, sendings] of this.sendingsByMarker) {
      if (this.byMarker.has(marker) || !sendings.some(mayHaveTakenEffect)) continue;
      const [first] = sendings;
      if (first !== undefined) yield documentKey(first.change.collection, first.change.docId);
    }
  }

  /** Whether the last complete reading of the log shows what became of a request that ended at `endedAt`. */
  settled(endedAt: number): boolean {
    return this.final !== null && this.final.from === '' && this.final.lastSentAt >= endedAt;
  }

  /** Whether an entry of this version, acknowledged at `answeredAt`, must be in the last complete reading. */
  mustBeRead(version: string, answeredAt: number): boolean {
    return this.final !== null && version > this.final.from && this.final.lastSentAt >= answeredAt;
  }

  /** The end of the last complete reading, without its rows: shows that something is not there. */
  lastFinalPage(): HistoryEvent[] {
    const last = this.pulls.findLast(({ reader, page }) => reader.startsWith('final') && page !== null);
    return last === undefined ? [] : [cutPull(last, [])];
  }

  /** The seq of a cursor, as far as it is known: 0 for the beginning. */
  seqAt(since: string | null): number | null {
    const cursor = cursorText(since);
    return cursor === '' ? 0 : (this.known.get(cursor)?.sight?.entry.seq ?? null);
  }

  #addPush(event: PushEvent): void {
    this.pushes.push(event);
    for (const sending of sendingsOf(event)) {
      const key = mutationKey(sending);
      if (key !== null) push(this.sendingsByMutation, key, sending);
      if (sending.change.marker !== null) push(this.sendingsByMarker, sending.change.marker, sending);
      if (tookEffect(sending.result)) this.#acknowledge(sending);
    }
  }

  #acknowledge(sending: Sending): void {
    const version = sending.result?.newVersion ?? null;
    if (version === null) return;
    const entry = this.known.get(version);
    if (entry === undefined) {
      const { collection, docId } = sending.change;
      this.known.set(version, {
        version,
        collection,
        docId,
        sight: null,
        ack: sending,
        lastReadAt: -Infinity,
      });
    } else {
      entry.ack ??= sending;
    }
  }

  #see(entry: Seen, event: PullEvent | StreamEvent, readAt: number): void {
    const { version, collection, docId } = entry;
    const before = this.known.get(version);
    if (before === undefined || before.sight === null) {
      const sight = { event, entry };
      const ack = before?.ack ?? null;
      this.known.set(version, { version, collection, docId, sight, ack, lastReadAt: readAt });
    } else if (before.lastReadAt < readAt) {
      before.lastReadAt = readAt;
    }
  }

  #noteMerge(collection: string, marker: string | null, result: Sending['result']): void {
    if (result?.status !== 'conflict_resolved' || result.newVersion === null) return;
    const sight = this.known.get(result.newVersion)?.sight;
    if (sight == null || sight.entry.marker === marker) return;
    this.merging.add(collection);
    this.merged.add(result.newVersion);
  }
}

export function wasSeen(entry: LogEntry): entry is SeenEntry {
  return entry.sight !== null;
}

/** How the checker knows of an entry: where it was seen, else the push that was answered with it. */
export function evidenceFor(entry: LogEntry): HistoryEvent[] {
  if (entry.sight !== null) return [cutRead(entry.sight.event, entry.version)];
  return entry.ack === null ? [] : evidenceOf(entry.ack);
}

/** Names and ids are any text, so that they are not simply joined. */
export function documentKey(collection: string, docId: string): string {
  return `${String(collection.length)}:${collection}${docId}`;
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
