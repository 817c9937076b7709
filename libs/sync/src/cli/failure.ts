import mongoose from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { MONGO_CODES } from '../database/errors';

/** What went wrong, for a person: never a stack, never the password of the URI. */
export function explainFailure(error: unknown, uri: string | undefined): string {
  if (!(error instanceof Error)) return withoutSecrets(String(error), uri);
  const message = withoutSecrets(error.message, uri);
  if (error instanceof SyncError) return message.replace(/^SyncModule: /, '');
  if (error instanceof mongoose.mongo.MongoServerError) return serverExplanation(error, message);
  switch (error.name) {
    case 'MongooseServerSelectionError':
    case 'MongoServerSelectionError':
      return `No MongoDB server could be used (${message}). Is it running, is the address right, and is it a replica set with a primary?`;
    case 'MongoParseError':
    case 'MongoAPIError':
    case 'MongoInvalidArgumentError':
      return (
        `The MongoDB URI cannot be read: ${message}. It looks like mongodb://user:password@host:27017/?replicaSet=rs0; ` +
        'special characters of the password must be percent-encoded.'
      );
    default:
      return message;
  }
}

function serverExplanation(error: mongoose.mongo.MongoServerError, message: string): string {
  switch (error.code) {
    case MONGO_CODES.AuthenticationFailed:
      return 'The server refused the user or the password. Check both in the URI, and authSource when the user lives in another database.';
    case MONGO_CODES.Unauthorized:
      return "The database's user may not do this. Grant it readWrite on the database, or use one that has it.";
    case MONGO_CODES.DuplicateKey:
      // The server's own text quotes the values.
      return (
        `Two documents have the same values in the unique index ${JSON.stringify(error['keyPattern'] ?? {})}. ` +
        'Remove or change one of them, then run this again.'
      );
    default:
      return message;
  }
}

/** Takes the credentials of a connection string out of a text, however the text quotes them. */
export function withoutSecrets(text: string, uri: string | undefined): string {
  let clean = text;
  for (const secret of secretsOf(uri ?? '')) clean = clean.replaceAll(secret, '***');
  return clean.replace(/(mongodb(?:\+srv)?:\/\/)[^\s]*@/g, '$1***@');
}

function secretsOf(uri: string): string[] {
  // Up to the last @: a password may hold one that its owner forgot to encode.
  const userInfo = /^[a-z+]+:\/\/(.*)@/s.exec(uri)?.[1];
  const password = userInfo?.slice(userInfo.indexOf(':') + 1);
  if (userInfo === undefined || password === undefined) return [];
  // A password of a letter or two would take half of the text with it.
  return [userInfo, password, decoded(password)].filter((secret) => secret.length > 2);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
