import type { ClientStorage, Database } from '../../storage.ts';

/** What the suite needs to know of the device that a storage keeps its databases on. */
export interface StorageDevice {
  /**
   * Gives a storage on the device: each time another object where the device outlives it (files, a browser's profile), the same
   * one where it does not (memory).
   */
  storage(): ClientStorage;
  /** Leaves no room until it is undone; for number 8. Not given: what happens on a full device is not checked. */
  readonly fill?: () => Promise<Undo>;
  /** Breaks the open connections in such a way that another one can be had; for number 5. */
  readonly disconnect?: (name: string) => Promise<void>;
  /** Removes all that the device holds, as a user does in the settings of a browser; for number 9. */
  readonly clear?: () => Promise<void>;
}

export type Undo = () => Promise<void>;

/** What a case works with. */
export interface Bench {
  readonly storage: ClientStorage;
  /** Another storage object on the same device. */
  again(): ClientStorage;
  /** The database of this case; the name is its own. */
  open(suffix?: string): Promise<Database>;
  nameOf(suffix?: string): string;
}

/** By what they claim. */
export type Cases = Readonly<Record<string, (bench: Bench) => Promise<void>>>;
