import type { Logger } from '@nestjs/common';
import type { ScopeFloors } from '../admin/scope-floors';
import type { StoredId } from '../codec/stored-document';
import type { SyncedCollection } from '../collections/collection';
import type { OplogRepository } from '../log/oplog';
import type { SyncMetrics } from '../metrics/metrics';
import { APP_ACTOR } from '../plan/foreign';
import { apart } from './apart';
import { differing } from './capture-scan';
import type { Seen } from './change-events';
import { unforeseen, type Observation, type Refusal, type Sighting } from './observation';
import type { Readiness } from './readiness';
import { RefusedLog } from './refused-log';
import { sightingsOf } from './sightings';
import { wakings } from './wakings';

export interface RecorderDeps {
  readonly oplog: OplogRepository;
  readonly observation: Observation;
  readonly floors: ScopeFloors;
  readonly metrics: SyncMetrics;
  readonly readiness: Readiness;
}

/** Records what was written past the engine. What cannot be recorded is told, counted, and holds up nothing else. */
export class Recorder {
  private readonly refused: RefusedLog;

  constructor(
    private readonly deps: RecorderDeps,
    private readonly captured: readonly SyncedCollection[],
    logger: Pick<Logger, 'warn' | 'error'>,
  ) {
    this.refused = new RefusedLog(logger);
  }

  /** Whose log each of the documents is looked for in; none of collections that are not there. */
  async sightings(seen: readonly Seen[]): Promise<Sighting[]> {
    const { readiness } = this.deps;
    const sightings: Sighting[] = [];
    await apart(
      seen.filter(({ collection }) => !readiness.isPending(collection)),
      async (some) => {
        const found = await sightingsOf(
          some,
          (name) => this.captured.find((collection) => collection.name === name),
          ({ name, rules }) => this.refused.tellReason(name, namesNoScope(rules.capture?.scopeField ?? '')),
        );
        for (const sighting of found) sightings.push(sighting);
      },
      ({ collection, storedId }, error) => this.refuse(collection, storedId, unforeseen(error)),
    );
    return sightings;
  }

  async record(sightings: readonly Sighting[], signal: AbortSignal): Promise<void> {
    if (sightings.length === 0) return;
    const { observation, readiness, metrics } = this.deps;
    // The tombstones need a place.
    for (const { name } of new Set(sightings.map(({ collection }) => collection)))
      if (readiness.isPending(name) && !(await readiness.make(name))) return;
    const { refused } = await observation.record(sightings, APP_ACTOR, () => !signal.aborted);
    metrics.captured(sightings.length - refused.size, 0);
    for (const [at, refusal] of refused) {
      const { collection, storedId } = sightings[at] as Sighting;
      this.refuse(collection.name, storedId, refusal);
    }
  }

  /**
   * Records what differs in whole collections.
   *
   * @param done called for each that is compared
   * @throws the signal's reason when it fires before all is compared
   */
  async compare(
    names: readonly string[],
    signal: AbortSignal,
    done: (name: string) => Promise<void>,
  ): Promise<void> {
    const { oplog, floors } = this.deps;
    const collections = this.captured.filter(({ name }) => names.includes(name));
    if (collections.length === 0) return;
    // Of documents whose entries were trimmed nobody can tell that they are gone: devices load the scope again.
    for await (const scopeIds of floors.trimmed()) {
      signal.throwIfAborted();
      await floors.raise(scopeIds);
      for (const collection of collections) await this.record(await wakings(collection, scopeIds), signal);
    }
    for (const collection of collections) {
      for await (const sightings of differing(oplog, collection)) {
        signal.throwIfAborted();
        await this.record(sightings, signal);
      }
      signal.throwIfAborted();
      await done(collection.name);
    }
  }

  private refuse(name: string, storedId: StoredId, refusal: Refusal): void {
    this.deps.metrics.captured(0, 1);
    this.refused.tell(name, storedId, refusal);
  }
}

function namesNoScope(scopeField: string): Refusal {
  return {
    code: 'scope_missing',
    message: `its field ${scopeField} names no scope (a text, a whole number or an ObjectId), so no device gets it`,
  };
}
