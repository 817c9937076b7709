import type { Logger } from '@nestjs/common';
import type { WallClock } from '../clock/wall-clock';
import type { SyncedCollection } from '../collections/collection';
import type { OplogRepository } from '../log/oplog';
import type { SyncMetrics } from '../metrics/metrics';
import { joined, tell, type ChangeEvent, type Seen } from './change-events';
import { changesOf, type ChangeBatch } from './change-source';
import { keyOf, type Sighting } from './observation';
import type { Position } from './position';
import { keepPreImages } from './pre-images';
import type { Readiness } from './readiness';
import type { Recorder } from './recorder';

const SAVE_EVERY_MS = 250;

export interface FollowerDeps {
  readonly oplog: OplogRepository;
  readonly position: Position;
  readonly readiness: Readiness;
  readonly recorder: Recorder;
  readonly clock: WallClock;
  readonly metrics: SyncMetrics;
  readonly logger: Pick<Logger, 'warn'>;
}

/** What a batch of events tells. */
interface Findings {
  readonly seen: readonly Seen[];
  readonly foreign: readonly ChangeEvent[];
  /** Of these, something happened that the stream does not tell. */
  readonly unclear: ReadonlySet<string>;
  /** These have no pre-images. */
  readonly blind: ReadonlySet<string>;
}

interface Looked {
  readonly foreign: readonly ChangeEvent[];
  readonly sightings: readonly Sighting[];
  /** Collections that have to be compared. */
  readonly missed: readonly string[];
}

/** Follows the changes of the captured collections, from the position that was kept last. */
export class Follower {
  private savedAt = -Infinity;

  constructor(
    private readonly deps: FollowerDeps,
    private readonly captured: readonly SyncedCollection[],
  ) {}

  /** @throws HistoryLost, or what has ended the stream; nothing when the signal fires */
  async follow(signal: AbortSignal): Promise<void> {
    const { oplog, position, readiness, recorder } = this.deps;
    const names = this.captured.map(({ name }) => name);
    const scopeFields = [...new Set(this.captured.flatMap(({ rules }) => rules.capture?.scopeField ?? []))];
    const { start, fresh } = await position.open(names);
    for (const name of names) await readiness.restore(name);
    this.savedAt = -Infinity;
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const there = fresh.filter((name) => !readiness.isPending(name));
    const comparing = recorder.compare(there, both, (name) => position.compared(name));
    // It fails the stream too: both begin again then.
    comparing.catch(() => stop.abort());
    let recording: Promise<void> = Promise.resolve();
    try {
      for await (const batch of changesOf(oplog, { names, scopeFields }, start, both)) {
        if (both.aborted) break;
        // Looked at while the one before is recorded. Batches are recorded in their order: documents move from scope to scope.
        const looked = await this.look(batch, recording);
        await recording;
        recording = this.record(batch, looked, both);
        recording.catch(() => undefined);
      }
      await recording;
    } catch (error) {
      if (!both.aborted) throw error;
    } finally {
      stop.abort();
      await recording.catch(() => undefined);
      await comparing.catch((error: unknown) => {
        if (error !== stop.signal.reason && !signal.aborted) throw error;
      });
    }
  }

  private async look({ events }: ChangeBatch, before: Promise<void>): Promise<Looked> {
    const { readiness, recorder } = this.deps;
    const findings = this.findings(events);
    const { seen, unclear, blind } = findings;
    // What makes collections ready must not meet what is being recorded.
    if (unclear.size + blind.size > 0 || this.captured.some(({ name }) => readiness.isPending(name)))
      await before;
    const missed = await this.ready(unclear, blind);
    return { foreign: findings.foreign, missed, sightings: await recorder.sightings(seen) };
  }

  private async record(
    { events, token, isEnd }: ChangeBatch,
    { sightings, missed, foreign }: Looked,
    signal: AbortSignal,
  ): Promise<void> {
    await this.deps.recorder.record(await this.withPlace(sightings), signal);
    for (const name of missed) await this.compare(name, signal);
    this.measure(foreign);
    if (isEnd) this.savedAt = -Infinity;
    await this.save(token, events.at(-1));
  }

  private findings(events: readonly ChangeEvent[]): Findings {
    const seen = new Map<string, Seen>();
    const foreign: ChangeEvent[] = [];
    const unclear = new Set<string>();
    const blind = new Set<string>();
    for (const event of events) {
      const told = tell(event, (name) => this.collectionOf(name)?.rules.capture?.scopeField);
      if (told.kind !== 'own') foreign.push(event);
      if (told.kind === 'write') {
        if (told.isBlind) blind.add(told.collection);
        const key = `${told.collection}\0${keyOf(told.storedId)}`;
        seen.set(key, joined(seen.get(key), told));
      } else if (told.kind === 'unclear')
        for (const { name } of this.captured)
          if (told.collections === 'all' || told.collections.includes(name)) unclear.add(name);
    }
    return { seen: [...seen.values()], foreign, unclear, blind };
  }

  /** Gives collections what they lack. @returns those that have to be compared */
  private async ready(unclear: ReadonlySet<string>, blind: ReadonlySet<string>): Promise<string[]> {
    const { oplog, position, readiness } = this.deps;
    const missed: string[] = [];
    for (const { name } of this.captured) {
      const wasPending = readiness.isPending(name);
      if (!wasPending && !unclear.has(name)) continue;
      const state = await readiness.restore(name);
      if (state === 'ready' || state === 'missed') missed.push(name);
      else if (!wasPending || unclear.has(name)) await position.uncompared(name);
    }
    for (const name of blind)
      if (!readiness.isPending(name)) await keepPreImages(oplog.db, name).catch(() => undefined);
    return missed;
  }

  /**
   * Where documents are not there any more, the whole collection may be gone, and the stream tells of it only later: what is
   * gone of it is found then.
   */
  private async withPlace(sightings: readonly Sighting[]): Promise<readonly Sighting[]> {
    const gone = new Set<SyncedCollection>();
    for (const collection of this.captured) {
      const own = sightings.filter((sighting) => sighting.collection === collection);
      if (own.length === 0 || !own.every(({ observed }) => observed.isGone)) continue;
      if (await this.deps.readiness.isThere(collection.name)) continue;
      gone.add(collection);
      await this.deps.position.uncompared(collection.name);
    }
    return gone.size === 0 ? sightings : sightings.filter(({ collection }) => !gone.has(collection));
  }

  /** Something happened that the stream does not tell: the collection was dropped, or its pre-images were switched off. */
  private async compare(name: string, signal: AbortSignal): Promise<void> {
    const { position, readiness, recorder, logger } = this.deps;
    logger.warn(`Collection ${name}: documents went without a trace; it is compared with the log.`);
    await recorder.compare([name], signal, (compared) => position.compared(compared));
    readiness.settle(name);
  }

  private measure(foreign: readonly ChangeEvent[]): void {
    const { clock, metrics } = this.deps;
    const now = clock.now();
    for (const { wallTime } of foreign)
      metrics.captureLag(Math.max(0, now - (wallTime?.getTime() ?? now)) / 1000);
  }

  private async save(token: unknown, last: ChangeEvent | undefined): Promise<void> {
    const now = performance.now();
    // While nothing happens the token moves too, but it is no hurry.
    if (now - this.savedAt < (last ? SAVE_EVERY_MS : SAVE_EVERY_MS * 20)) return;
    this.savedAt = now;
    await this.deps.position.save(token, last?.wallTime ?? new Date(this.deps.clock.now()));
  }

  private collectionOf(name: string): SyncedCollection | undefined {
    return this.captured.find((collection) => collection.name === name);
  }
}
