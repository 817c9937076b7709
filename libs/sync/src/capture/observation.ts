import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import mongoose from 'mongoose';
import { SyncError, type Rejection } from 'nest-offline-sync-protocol';
import type { SyncedCollection } from '../collections/collection';
import type { StoredId } from '../codec/stored-document';
import { errorKind, isPassing } from '../database/errors';
import { fullJitter, OUTAGE_PAUSE } from '../database/waiting';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import { whyNotIn, type Observed } from '../plan/observed';
import { documentKey, type PlanRequest, type ReadyChange, type RequestOutcome } from '../plan/plan';
import { PushQueue } from '../push/queue';
import { apart } from './apart';

/** A document that may have been written past the engine. */
export interface Sighting {
  /** In whose log it is looked for. */
  readonly scopeId: string;
  readonly collection: SyncedCollection;
  readonly storedId: StoredId;
  readonly observed: Observed;
  /** About how large the document is, where that is known. */
  readonly bytes?: number;
}

/** Why a document is not recorded. */
export interface Refusal extends Rejection {
  /** The kind of an error that nobody foresaw. */
  readonly unforeseen?: string;
}

/** Places in a list of sightings. */
export interface Recorded {
  /** Why some are not recorded. */
  readonly refused: ReadonlyMap<number, Refusal>;
  /** Documents that are as they were: recorded already, or not where they were looked for. */
  readonly untouched: ReadonlySet<number>;
}

/** What the queue puts together to transactions, or takes apart after a conflict: documents, and bytes of them. */
const PIECE = 25;
const PIECE_BYTES = 512 << 10;
/** Of a document of which nobody knows how large it is. */
const BYTES_EACH = 512;

/** Has documents compared with what was recorded of them: by the queue, the planner and the transactions of pushes. */
@Injectable()
export class Observation {
  constructor(
    private readonly queue: PushQueue,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {}

  /**
   * Many in one transaction. Done twice it does nothing the second time, so it is tried again until it is known to be done.
   * What fails for a reason of its own is left, and the others go on.
   *
   * @param mayContinue asked before each further try
   * @returns what became of some of them
   */
  async record(
    sightings: readonly Sighting[],
    actorId: string,
    mayContinue: () => boolean | Promise<boolean>,
  ): Promise<Recorded> {
    const refused = new Map<number, Refusal>();
    const untouched = new Set<number>();
    const groups = pieces(sightings, ({ collection, scopeId, storedId, observed }, at) => {
      const rejection = whyNotIn(observed.moved?.to ?? scopeId, collection, storedId);
      if (rejection) refused.set(at, rejection);
      return !rejection;
    });
    const deadline = (): number => performance.now() + this.settings.retryDeadlineMs;
    const requests = groups.map((places) => requestOf(places, sightings, actorId));
    const firstTries: (Promise<RequestOutcome> | undefined)[] = this.queue.submitAll(requests, deadline());
    const submit = async (places: readonly number[], group: number): Promise<void> => {
      const outcome = await this.untilDone(mayContinue, () => {
        const firstTry = firstTries[group];
        firstTries[group] = undefined;
        if (firstTry) return firstTry;
        const { request, bytes } = requestOf(places, sightings, actorId);
        return this.queue.submit(request, bytes, deadline());
      });
      if (outcome.kind !== 'decided') throw new Error('An observed change asks for nothing');
      outcome.decisions.forEach(({ code, error, new_version }, index) => {
        const at = places[index] ?? -1;
        if (code !== null) refused.set(at, { code, message: error ?? code });
        else if (new_version === null) untouched.add(at);
      });
    };
    await Promise.all(
      groups.map((all, group) =>
        apart(
          all,
          (places) => submit(places, group),
          (place, error) => refused.set(place, unforeseen(error)),
        ),
      ),
    );
    return { refused, untouched };
  }

  private async untilDone<T>(
    mayContinue: () => boolean | Promise<boolean>,
    work: () => Promise<T>,
  ): Promise<T> {
    for (let failures = 0; ; failures++) {
      try {
        return await work();
      } catch (error) {
        if (!isMomentary(error) || !(await mayContinue())) throw error;
      }
      await delay(fullJitter(failures, OUTAGE_PAUSE, Math.random()));
    }
  }
}

interface Submission {
  readonly request: PlanRequest;
  readonly bytes: number;
}

function requestOf(places: readonly number[], sightings: readonly Sighting[], actorId: string): Submission {
  const some = places.map((at) => sightings[at] as Sighting);
  const scopeId = some[0]?.scopeId ?? '';
  const changes = some.map(changeOf);
  const request = { scopeId, actorId, clientId: '', atomic: 'mutation' as const, changes };
  return { request, bytes: some.reduce((sum, one) => sum + bytesOf(one), 0) };
}

/** Places in the list of what is sound, by scope, in their order. */
function pieces(
  sightings: readonly Sighting[],
  isSound: (sighting: Sighting, at: number) => boolean,
): number[][] {
  const open = new Map<string, { readonly piece: number[]; bytes: number }>();
  const all: number[][] = [];
  sightings.forEach((sighting, at) => {
    if (!isSound(sighting, at)) return;
    const { scopeId } = sighting;
    let last = open.get(scopeId);
    if (!last || last.piece.length === PIECE || last.bytes + bytesOf(sighting) > PIECE_BYTES) {
      open.set(scopeId, (last = { piece: [], bytes: 0 }));
      all.push(last.piece);
    }
    last.piece.push(at);
    last.bytes += bytesOf(sighting);
  });
  return all;
}

function bytesOf({ bytes = BYTES_EACH }: Sighting): number {
  return bytes;
}

function changeOf({ collection: { name, rules, ids }, storedId, observed }: Sighting): ReadyChange {
  const wireId = ids.toWire(storedId);
  return {
    kind: 'ready',
    collection: name,
    rules,
    operation: 'upsert',
    key: documentKey(name, storedId, wireId),
    storedId,
    wireId,
    document: null,
    parent: null,
    hlc: null,
    observed,
  };
}

/** @returns nothing of the error's own words, which may quote the document */
export function unforeseen(error: unknown): Refusal {
  const kind = errorKind(error);
  return { code: 'refused_by_database', message: `it could not be recorded (${kind})`, unforeseen: kind };
}

function isMomentary(error: unknown): boolean {
  if (error instanceof SyncError) return error.code === 'busy' || error.code === 'unavailable';
  return isPassing(error) || error instanceof mongoose.mongo.MongoNetworkError;
}

/** The same for ids that are the same to the last bit. */
export function keyOf(id: StoredId): string {
  // By far most are one of these two, and Extended JSON takes its time.
  if (typeof id === 'string') return `s${id}`;
  if (id instanceof mongoose.mongo.ObjectId) return `o${id.toHexString()}`;
  return mongoose.mongo.BSON.EJSON.stringify(id, { relaxed: false });
}
