/** A device that follows the log with its own cursor. */
export interface Reader {
  readonly name: string;
  /** Follows until `end`, then goes on to the newest acknowledged version, until `over`. */
  follow(end: AbortSignal, over: AbortSignal): Promise<void>;
  /** Whether it has reached the newest acknowledged version of its collections. */
  reached(): boolean;
}
