import type { Identity } from './auth.ts';
import type { Environment } from './environment.ts';
import { randomId } from './ids.ts';
import type { ClientStorage, KeyedStore } from './storage.ts';

export interface DatabaseKey {
  readonly app: string;
  readonly url: string;
  readonly identity: Identity;
  readonly scope: string | undefined;
}

/** Survives logouts: another one tells that the platform has cleared what was there. */
interface Last {
  readonly registry?: string;
  readonly identity?: Identity;
}

/**
 * Which database belongs to whom: one for each server, scope and actor, under a name that says nothing of them. Two users of a device
 * never meet in one (C8), however alike their names are.
 */
export async function databaseName(
  storage: ClientStorage,
  chance: Pick<Environment, 'randomBytes'>,
  { app, url, identity, scope }: DatabaseKey,
): Promise<{ readonly name: string; readonly registry: string }> {
  const key = keyText(url, identity, scope);
  const [fresh, freshId] = [`${app}.${randomId(chance)}`, randomId(chance)];
  return inRegistry(storage, app, async (meta) => {
    const known = (await meta.get(key)) as { readonly name: string } | undefined;
    const name = known?.name ?? fresh;
    if (!known) await meta.put(key, { name });
    const { registry = freshId } = await readLast(meta);
    await meta.put(LAST, { registry, identity } satisfies Last);
    return { name, registry };
  });
}

export interface KnownDatabase {
  readonly name: string;
  readonly scope: string | undefined;
}

/** All databases of one user. */
export async function databasesOf(
  storage: ClientStorage,
  { app, url, identity }: Omit<DatabaseKey, 'scope'>,
): Promise<readonly KnownDatabase[]> {
  const all = await inRegistry(storage, app, (meta) => meta.range());
  return all.flatMap(([key, value]) => {
    if (key === LAST) return [];
    const [address, scope, actor, name] = JSON.parse(key) as [string, string, string, string | null];
    const isOwn = address === url && scope === identity.scope && actor === identity.actor;
    return isOwn ? [{ name: (value as KnownDatabase).name, scope: name ?? undefined }] : [];
  });
}

/** The next ones of this user get other names: a tab that is frozen may keep one of these from going. */
export async function forgetDatabases(
  storage: ClientStorage,
  app: string,
  names: ReadonlySet<string>,
): Promise<void> {
  await inRegistry(storage, app, async (meta) => {
    for (const [key, value] of await meta.range())
      if (key !== LAST && names.has((value as KnownDatabase).name)) await meta.delete(key);
  });
}

/** Whether a database was given up by a logout; false as well if the registry itself is gone. */
export async function isForgotten(storage: ClientStorage, app: string, name: string): Promise<boolean> {
  const all = await inRegistry(storage, app, (meta) => meta.range());
  return all.length > 0 && !all.some(([, value]) => (value as Partial<KnownDatabase>).name === name);
}

/** Of the last one that was opened, for a start without network. */
export async function lastIdentity(storage: ClientStorage, app: string): Promise<Identity | undefined> {
  return (await inRegistry(storage, app, readLast)).identity;
}

/** After a logout nobody is the last one. */
export async function forgetIdentity(
  storage: ClientStorage,
  app: string,
  identity?: Identity,
): Promise<void> {
  await inRegistry(storage, app, async (meta) => {
    const { identity: last, registry } = await readLast(meta);
    const isOther = identity && last && (last.scope !== identity.scope || last.actor !== identity.actor);
    // Another user may have come in another tab.
    if (!isOther) await meta.put(LAST, { ...(registry === undefined ? {} : { registry }) } satisfies Last);
  });
}

/** Under which name is noted what would be lost with a database. It tells no more of the user than the database's name does. */
export function markName({ app, url, identity, scope }: DatabaseKey): string {
  const key = keyText(url, identity, scope);
  let [a, b] = [0x811c9dc5, 0x1b873593];
  for (let at = 0; at < key.length; at++) {
    a = Math.imul(a ^ key.charCodeAt(at), 0x01000193);
    b = Math.imul(b ^ key.charCodeAt(at), 0x85ebca6b);
  }
  return `${app}.${(a >>> 0).toString(36)}${(b >>> 0).toString(36)}`;
}

function keyText(url: string, { scope, actor }: Identity, name: string | undefined): string {
  return JSON.stringify([url, scope, actor, name ?? null]);
}

const LAST = 'last';

async function readLast(meta: KeyedStore<string>): Promise<Last> {
  return ((await meta.get(LAST)) as Last | undefined) ?? {};
}

async function inRegistry<T>(
  storage: ClientStorage,
  app: string,
  body: (meta: KeyedStore<string>) => Promise<T>,
): Promise<T> {
  const database = await storage.open(`${app}.clients`);
  try {
    return await database.transaction('durable', ['meta'], ({ meta }) => body(meta));
  } finally {
    await database.close();
  }
}
