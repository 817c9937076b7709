import type { MongooseModuleFactoryOptions } from '@nestjs/mongoose';
import { RECOMMENDED_DRIVER_TIMES } from 'nest-offline-sync';
import type { Environment } from '../config/environment';

export function mongooseOptions(environment: Environment): MongooseModuleFactoryOptions {
  return {
    uri: environment.MONGODB_URI,
    dbName: databaseName(environment),
    // heartbeatFrequencyMS, connectTimeoutMS, serverSelectionTimeoutMS: a primary that stops answering is left after
    // 8 seconds. With the driver's defaults it takes 34.
    ...RECOMMENDED_DRIVER_TIMES,
    // A database that cannot be reached is said once, after 10 seconds.
    retryAttempts: 0,
  };
}

/** MONGODB_DATABASE, else the one in the path of MONGODB_URI, else a name of the demo's own. */
export function databaseName({ MONGODB_DATABASE, MONGODB_URI = '' }: Environment): string {
  const [, inPath = ''] = /^mongodb(?:\+srv)?:\/\/[^/?]+\/([^?]*)/.exec(MONGODB_URI) ?? [];
  return MONGODB_DATABASE ?? (inPath === '' ? 'shop_demo' : decodeURIComponent(inPath));
}
