import { note, NOTES, type Note } from '../workload/notes';
import { seeded, seedFor, uuid, type Random } from '../workload/random';

/** A document of an app that knows nothing of sync. */
export interface PlainNote extends Note {
  readonly _id: string;
  readonly business_id: string;
  /** When it was written last, by the writer's clock. Milliseconds. */
  readonly writtenAt?: number;
}

/** @param name of the turn: no two have the same ids */
export function plainNotes(seed: number, name: string, count: number, scopes: number): PlainNote[] {
  const random = seeded(seedFor(seed, name));
  return Array.from({ length: count }, (_, index) => plainNote(random, scopeOf(name, index % scopes)));
}

export function plainNote(random: Random, scope: string): PlainNote {
  return { _id: uuid(random), business_id: scope, ...note(random) };
}

export function scopeOf(name: string, index: number): string {
  return `${name}-${String(index)}`;
}

/** The fields that a document gets when it is synced. */
export function stampOf({ business_id }: PlainNote, version: string): Record<string, unknown> {
  return {
    _sync_version: version,
    _sync_actor_id: 'app',
    _sync_scope_id: business_id,
    _sync_deleted: false,
    _sync_hash: version.slice(0, 22),
  };
}

/** Of the size of an entry of the log. */
export function entryOf({ _id, ...data }: PlainNote, version: string): object {
  const wire = JSON.stringify({ version, collection: NOTES, doc_id: _id, operation: 'upsert', data });
  return { scope: data.business_id, version, collection: NOTES, doc: _id, at: new Date(), wire };
}
