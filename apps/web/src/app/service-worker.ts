import { cleanupOutdatedCaches, createHandlerBoundToURL, precacheAndRoute } from 'workbox-precaching';
import { NavigationRoute, registerRoute } from 'workbox-routing';
import { OUTBOX, SKIP_WAITING } from './messages.ts';
import { readSession } from './session.ts';
import { shopClient } from './shop-client.ts';

/** As much of the worker's own global object as is used. */
interface Worker {
  /** Written in by the build: every file of the app, and what changes when the file does. */
  readonly __WB_MANIFEST: { readonly url: string; readonly revision: string | null }[];
  addEventListener(
    name: 'sync',
    listener: (event: { readonly tag: string; waitUntil(work: Promise<unknown>): void }) => void,
  ): void;
  addEventListener(name: 'message', listener: (event: { readonly data: unknown }) => void): void;
  skipWaiting(): Promise<void>;
}
declare const self: Worker;

// The app itself comes from the device, with network too: it opens as fast, and is always of one version.
precacheAndRoute(self.__WB_MANIFEST);
cleanupOutdatedCaches();
registerRoute(new NavigationRoute(createHandlerBoundToURL('/app/index.html')));

// A new version waits until the user agrees: no page changes under somebody's hands.
self.addEventListener('message', ({ data }) => {
  if ((data as { readonly type?: string } | null)?.type === SKIP_WAITING) void self.skipWaiting();
});

self.addEventListener('sync', (event) => {
  if (event.tag === OUTBOX) event.waitUntil(send());
});

/** The network is back: what waits is sent, by a page that is open, or from here. A rejection makes the browser try again later. */
async function send(): Promise<void> {
  const session = await readSession();
  if (!session) return;
  const client = shopClient(session);
  await client.open();
  try {
    if (!(await client.syncOnce({ deadlineMs: 20_000 }))) throw new Error('Not everything was sent.');
  } finally {
    await client.close();
  }
}
