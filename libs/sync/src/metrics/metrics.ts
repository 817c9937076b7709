/**
 * What the engine tells the outside about its work. Durations are seconds. The default does nothing; the
 * prom-client implementation registers the series in the host's registry.
 */
export abstract class SyncMetrics {
  /** One push request ended: `failure` when any of its changes was rejected or it was refused as a whole. */
  abstract push(status: 'success' | 'failure', changes: number, seconds: number): void;
  /** A change met a conflict, however it was settled. */
  abstract conflict(collection: string): void;
  abstract pull(changesServed: number, seconds: number): void;
  abstract fullResync(seconds: number): void;
  /** A group of pushes was committed: how many changes it held, and how long its oldest one had waited. */
  abstract group(changes: number, queueWaitSeconds: number): void;
  abstract transactionRetry(): void;
  /** From an entry's write (its `at`) to its dispatch to this process's subscribers. */
  abstract streamLag(seconds: number): void;
  abstract sockets(open: number): void;
  abstract subscribers(live: number): void;
  abstract oplogSize(entries: number): void;
  abstract trimmed(entries: number): void;
  abstract tombstonesRemoved(tombstones: number): void;
  /** How far a scope's head is ahead of the bounded wall clock, when it is. */
  abstract headAhead(seconds: number): void;
  /** From a write past the engine to the moment when it was recorded. */
  abstract captureLag(seconds: number): void;
  /** Documents of captured collections that were compared after such writes, and those that cannot be synced. */
  abstract captured(compared: number, refused: number): void;
  /** Capture was interrupted: it goes on by itself. */
  abstract captureFailure(): void;
}

export class NoMetrics extends SyncMetrics {
  push(): void {}
  conflict(): void {}
  pull(): void {}
  fullResync(): void {}
  group(): void {}
  transactionRetry(): void {}
  streamLag(): void {}
  sockets(): void {}
  subscribers(): void {}
  oplogSize(): void {}
  trimmed(): void {}
  tombstonesRemoved(): void {}
  headAhead(): void {}
  captureLag(): void {}
  captured(): void {}
  captureFailure(): void {}
}
