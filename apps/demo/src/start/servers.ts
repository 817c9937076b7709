/** What answers requests: this process, or several workers. */
export interface Servers {
  /** The port in use; not that of PORT when it is 0. */
  readonly port: number;
  /** The processes that serve. */
  readonly pids: readonly number[];
  /** Takes no more requests, finishes those that run, ends. */
  stop(): Promise<void>;
}
