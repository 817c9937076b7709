import { Injectable } from '@nestjs/common';
import { ZERO_VERSION } from 'nest-offline-sync-protocol';
import { ScopeFloors } from '../admin/scope-floors';
import { Observation, type Sighting } from '../capture/observation';
import { wakings } from '../capture/wakings';
import type { SyncedCollection } from '../collections/collection';
import { CollectionRegistry } from '../collections/collection-registry';
import { OplogRepository } from '../log/oplog';
import { APP_ACTOR } from '../plan/foreign';
import { repairOf, type Finding } from './difference';

type MayContinue = () => Promise<boolean>;

/** Records what differs, as writes of the app: so devices get it. What the app has stored stays as it is. */
@Injectable()
export class Repairs {
  constructor(
    private readonly oplog: OplogRepository,
    private readonly collections: CollectionRegistry,
    private readonly observation: Observation,
    private readonly floors: ScopeFloors,
  ) {}

  async record(
    scopeId: string,
    name: string,
    findings: readonly Finding[],
    mayContinue: MayContinue,
  ): Promise<void> {
    const collection = this.collectionOf(name);
    const { scopeField } = collection.rules.capture ?? {};
    const sightings = findings.map((finding): Sighting => {
      const observed = repairOf(finding);
      const isTakenIn = finding.what === 'no scope' && scopeField !== undefined;
      return {
        scopeId,
        collection,
        storedId: finding.storedId,
        observed: isTakenIn ? { ...observed, scopeField } : observed,
      };
    });
    await this.observation.record(sightings, APP_ACTOR, mayContinue);
  }

  /** Whether entries of the scope are gone: then nobody can tell what was done to documents below them. */
  async isTrimmed(scopeId: string): Promise<boolean> {
    const head = await this.oplog.readHead(scopeId);
    return head !== null && head.floor > ZERO_VERSION;
  }

  /** Devices load the scope again. */
  raise(scopeId: string): Promise<void> {
    return this.floors.raise([scopeId]);
  }

  /** An entry behind the gap of the floor, so that those who listen notice it at once. */
  async wake(scopeId: string, names: readonly string[], mayContinue: MayContinue): Promise<void> {
    for (const name of names) {
      const sightings = await wakings(this.collectionOf(name), [scopeId]);
      if (sightings.length === 0) continue;
      await this.observation.record(sightings, APP_ACTOR, mayContinue);
      return;
    }
  }

  private collectionOf(name: string): SyncedCollection {
    const collection = this.collections.get(name);
    if (!collection) throw new Error(`Collection ${name} is not registered`);
    return collection;
  }
}
