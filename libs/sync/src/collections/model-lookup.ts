import type { Connection } from 'mongoose';
import type { SyncCollectionOptions } from '../options/sync.options';
import { configurationError } from './collection-options';
import type { IdKind } from '../codec/id-codec';
import type { AnyModel } from './model-document';

/**
 * The Mongoose model of a synced collection; undefined for a free-form one.
 *
 * @throws SyncError `configuration` that names the registered models and the two remedies
 */
export function findModel(connection: Connection, options: SyncCollectionOptions): AnyModel | undefined {
  if (options.freeForm === true) return undefined;
  const models = Object.values(connection.models) as AnyModel[];
  const found =
    options.model === undefined ? byCollection(models, options) : models.find(isNamed(options.model));
  if (!found) throw missingModel(options, models);
  if (found.collection.name !== options.name)
    throw configurationError(
      options.name,
      'model',
      `is ${found.modelName}, whose collection is ${found.collection.name}: the names must be equal`,
    );
  return found;
}

/** What the schema says of `_id`; `free` without a schema. */
export function idKind(options: SyncCollectionOptions, model: AnyModel | undefined): IdKind {
  if (!model) return 'free';
  const instance = model.schema.path('_id')?.instance ?? 'none';
  const kind = KINDS[instance];
  if (!kind)
    throw configurationError(
      options.name,
      'model',
      `${model.modelName} has an _id of type ${instance}; it can be synced with ObjectId, UUID, String, Number or Mixed`,
    );
  return kind;
}

/** What the schema's setters make of a text that is an `_id` (`lowercase`, say); undefined where it has none. */
export function idSetter(model: AnyModel): ((id: unknown) => unknown) | undefined {
  const type = model.schema.path('_id') as unknown as
    | {
        instance: string;
        setters?: readonly unknown[];
        applySetters(value: unknown, scope: unknown): unknown;
      }
    | undefined;
  if (type?.instance !== 'String' || !type.setters?.length) return undefined;
  return (id) => {
    try {
      return type.applySetters(id, new model());
    } catch {
      return undefined;
    }
  };
}

const KINDS: Readonly<Record<string, IdKind>> = {
  ObjectId: 'objectId',
  ObjectID: 'objectId',
  UUID: 'uuid',
  String: 'string',
  Number: 'number',
  Int32: 'number',
  Double: 'number',
  Mixed: 'free',
};

/** Discriminators share their base's collection: the base stands for all of them. */
function byCollection(models: readonly AnyModel[], options: SyncCollectionOptions): AnyModel | undefined {
  const candidates = models.filter(
    (model) => model.collection.name === options.name && model.baseModelName === undefined,
  );
  if (candidates.length > 1)
    throw configurationError(
      options.name,
      'model',
      `must be given, because several models use this collection: ${names(candidates)}`,
    );
  return candidates[0];
}

function isNamed(name: string): (model: AnyModel) => boolean {
  return (model) => model.modelName === name;
}

function missingModel(options: SyncCollectionOptions, models: readonly AnyModel[]): Error {
  const registered = models.length === 0 ? 'none' : names(models);
  const sought = options.model === undefined ? 'has no model' : `${options.model} is not registered`;
  return configurationError(
    options.name,
    'model',
    `${sought} on the connection (registered: ${registered}). Register it with MongooseModule.forFeature on the connection that SyncModule uses, or say freeForm: true to sync any JSON object`,
  );
}

function names(models: readonly AnyModel[]): string {
  return models.map((model) => `${model.modelName} (${model.collection.name})`).join(', ');
}
