export { startEmbeddedMongo, type EmbeddedMongo, type EmbeddedMongoOptions } from './embedded-mongo';
export { findMongod, type FindMongodOptions } from './find-mongod';
export { cacheFolder, type MongodBinary } from './mongod-binary';
export { DataFolderInUseError, MongodNotFoundError } from './errors';
