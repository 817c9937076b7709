/** A value that changes. Fits React's `useSyncExternalStore`: `current` is the same object until it changes. */
export interface Observable<T> {
  readonly current: T;
  /** Calls with each change from now on. Returns what ends it. */
  subscribe(listener: (value: T) => void): () => void;
}

export class Value<T> implements Observable<T> {
  private readonly listeners = new Set<(value: T) => void>();

  constructor(private value: T) {}

  get current(): T {
    return this.value;
  }

  get isWatched(): boolean {
    return this.listeners.size > 0;
  }

  set(value: T): void {
    this.value = value;
    for (const listener of [...this.listeners]) listener(value);
  }

  subscribe(listener: (value: T) => void): () => void {
    const own = (value: T): void => listener(value);
    this.listeners.add(own);
    return () => this.listeners.delete(own);
  }
}
