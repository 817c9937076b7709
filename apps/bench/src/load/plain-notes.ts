import { note, type Note } from '../workload/notes';
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
