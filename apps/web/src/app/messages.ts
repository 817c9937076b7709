/** What the page and its service worker say to each other. */

/** Tag of the event `sync`: something waits to be sent. */
export const OUTBOX = 'outbox';
/** From the page: the user wants the new version now. workbox-window sends it. */
export const SKIP_WAITING = 'SKIP_WAITING';
