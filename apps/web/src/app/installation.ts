import { Workbox } from 'workbox-window';
import { OUTBOX } from './messages.ts';

const LOOK_MS = 3_600_000;

/** The app as it is installed on this device: its service worker, and the next version of it. */
export class Installation {
  private readonly workbox: Workbox | undefined;
  /** At hand: a page that is being closed has no time to ask for it. */
  private registration: Registration | undefined;
  private readonly listeners = new Set<() => void>();
  /** `waiting`: a new version is here. `taken`: another tab has switched to it already. */
  private state: 'current' | 'waiting' | 'taken' = 'current';

  constructor() {
    if (!('serviceWorker' in navigator)) return;
    // A module: it shares the client's code with the page. Where browsers know none, the app needs the network to start.
    this.workbox = new Workbox('/app/service-worker.js', { scope: '/app', type: 'module' });
    this.workbox.addEventListener('waiting', () => this.set('waiting'));
    this.workbox.addEventListener('controlling', ({ isUpdate }) => isUpdate && this.set('taken'));
    this.workbox
      .register()
      .then((registration) => (this.registration = registration))
      .catch(() => undefined);
    setInterval(() => this.look(), LOOK_MS);
    document.addEventListener('visibilitychange', () => this.look());
  }

  /** Whether there is a new version to go to. */
  get isOutdated(): boolean {
    return this.state !== 'current';
  }

  subscribe(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => this.listeners.delete(changed);
  }

  /** Loads the page again, by the new version. */
  update(): void {
    if (this.state === 'taken' || !this.workbox) return location.reload();
    this.workbox.addEventListener('controlling', () => location.reload());
    this.workbox.messageSkipWaiting();
  }

  /**
   * Something waits. While the page is seen and there is network, it sends by itself. When the user leaves, or without network, the browser
   * is asked for the event `sync`, which comes when there is network, also if no page is open then. Chrome and Edge have it.
   *
   * @returns what ends it
   */
  sendWithoutPage(): () => void {
    const look = (): void => {
      if (navigator.onLine && document.visibilityState === 'visible') return;
      // Where the user has switched it off, it is sent when a page is open again.
      void this.registration?.sync?.register(OUTBOX).catch(() => undefined);
    };
    look();
    document.addEventListener('visibilitychange', look);
    addEventListener('offline', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      removeEventListener('offline', look);
    };
  }

  private set(state: 'waiting' | 'taken'): void {
    this.state = state;
    for (const changed of this.listeners) changed();
  }

  private look(): void {
    if (document.visibilityState === 'visible') void this.workbox?.update().catch(() => undefined);
  }
}

/** With Background Sync, which TypeScript does not know. */
interface Registration extends ServiceWorkerRegistration {
  readonly sync?: { register(tag: string): Promise<void> };
}
