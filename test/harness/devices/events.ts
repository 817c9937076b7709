import type { WireEvent } from './tap';

/** What a device tells while it works, to somebody outside of it: what was told is known whatever becomes of the device. */
export type DeviceEvent =
  /** An edit is about to be made. Its marker is in the text of what it writes. */
  | { readonly is: 'begun'; readonly marker: string }
  /** Its promise has resolved. */
  | {
      readonly is: 'kept';
      readonly marker: string;
      readonly kind: string;
      readonly mutations: readonly string[];
    }
  /** It could not be made: nothing of it counts. */
  | { readonly is: 'failed'; readonly marker: string; readonly code: string }
  | { readonly is: 'settled'; readonly mutation: string; readonly status: string; readonly code?: string }
  /** The user gives these mutations up, or makes them again: what becomes of them is the user's wish. */
  | { readonly is: 'giving-up'; readonly mutations: readonly string[] }
  /** Something was shown that must not be. */
  | { readonly is: 'wrong'; readonly what: string }
  | { readonly is: 'ended'; readonly code: string }
  | { readonly is: 'wire'; readonly wire: WireEvent };

/** A row of the base, as the server should have it. */
export interface HeldRow {
  readonly collection: string;
  readonly id: string | number;
  readonly version: string | null;
  readonly data: object | null;
}

/** Everything that a database of a device holds. */
export interface HeldDatabase {
  readonly name: string;
  /** Of the server, scope and actor that it is of; null: nobody's. */
  readonly key: string | null;
  readonly base: readonly HeldRow[];
  /** Mutations that are not finished. */
  readonly outbox: readonly { readonly id: string; readonly state: string }[];
  readonly refused: readonly string[];
  readonly cursor: string | undefined;
  /** All of its text. */
  readonly text: string;
}

export interface Held {
  readonly databases: readonly HeldDatabase[];
  /** How many events were told before. */
  readonly told: number;
}

/** Who uses a device. */
export interface User {
  readonly name: string;
  readonly business: string;
  readonly token: string;
}
