import type { JsonObject } from 'nest-offline-sync';

export interface ExampleDocument {
  readonly collection: string;
  readonly docId: string;
  /** In its wire form, as a client would send it. */
  readonly data: JsonObject;
}

export function doc(collection: string, docId: string, data: JsonObject): ExampleDocument {
  return { collection, docId, data };
}

/** In ISO form; negative hours lie ahead. */
export function hoursAgo(now: Date, hours: number): string {
  return new Date(now.getTime() - hours * 3_600_000).toISOString();
}
