import type { mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { codeOf, MONGO_CODES } from '../database/errors';

/**
 * Switches on that MongoDB keeps the documents of a collection as they were before each change.
 *
 * @throws SyncError `configuration` where the database's user may not
 */
export async function keepPreImages(db: mongo.Db, name: string): Promise<void> {
  const [found] = await db.listCollections({ name }).toArray();
  const { options } = (found ?? {}) as {
    options?: { changeStreamPreAndPostImages?: { enabled?: boolean } };
  };
  if (options?.changeStreamPreAndPostImages?.enabled === true) return;
  try {
    await db.command({ collMod: name, changeStreamPreAndPostImages: { enabled: true } });
  } catch (error) {
    if (codeOf(error) !== MONGO_CODES.Unauthorized) throw error;
    throw new SyncError(
      'configuration',
      `SyncModule: collection ${name}: capture needs pre-images, and the database's user may not switch them on. ` +
        `Run db.runCommand({ collMod: '${name}', changeStreamPreAndPostImages: { enabled: true } }) in mongosh.`,
      { path: `collections.${name}.capture`, cause: error },
    );
  }
}
