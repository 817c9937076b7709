import { AuthError, createSyncClient, type TokenReason } from 'nest-offline-sync-client';
import { indexedDb } from 'nest-offline-sync-client/indexeddb';
import { collections, identityOf, signIn, type Shop } from '../shop.ts';
import { readSession, writeSession, type Session } from './session.ts';

/** The client of who is signed in, for the page and for the service worker: both on the same databases. */
export function shopClient({ user, business, place }: Session): Shop {
  return createSyncClient({
    url: new URL(place.sync, location.origin).href,
    stream: new URL(place.stream, location.origin).href.replace(/^http/, 'ws'),
    app: 'shop',
    storage: indexedDb(),
    auth: { token: ({ reason }) => tokenOf(user, business, reason), identity: identityOf },
    collections,
  });
}

/** The one that is kept serves without network too; the server says when it does not like it any more. */
async function tokenOf(user: string, business: string, reason: TokenReason): Promise<string> {
  const session = await readSession();
  if (session?.user !== user || session.business !== business)
    throw new AuthError('You have signed out. Sign in again.');
  if (reason === 'first') return session.token;
  const token = await signIn(user, business);
  await writeSession({ ...session, token });
  return token;
}
