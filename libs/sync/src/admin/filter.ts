import type { mongo } from 'mongoose';
import type { StoredDocument } from '../codec/stored-document';
import { codeOf, isAboutDocument, MONGO_CODES } from '../database/errors';

/** Whether the database takes something for a filter: it alone knows. Nothing is searched for. */
export async function isFilter(store: mongo.Collection<StoredDocument>, where: object): Promise<boolean> {
  try {
    await store.find(where).explain('queryPlanner');
    return true;
  } catch (error) {
    if (!isAboutDocument(codeOf(error) ?? MONGO_CODES.InternalError)) throw error;
    return false;
  }
}
