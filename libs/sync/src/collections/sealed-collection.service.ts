import mongoose, { type Connection } from 'mongoose';
import type { ConflictResolverFunction } from '../conflict/conflict';
import type { DocId } from '../protocol/change';
import { SyncError } from '../protocol/errors';
import type { JsonObject } from '../protocol/json';
import type { SyncCollectionOptions, SyncOptions } from '../sync.options';
import type { SyncSettings } from '../sync.settings';
import { isAllowed } from './authorization';
import type { IdCodec, Prepared, SyncedCollection } from './collection';
import { configurationError } from './collection-options';
import { makeDtoCheck } from './dto-check.service';
import type { FailureReport } from './failure';
import { globalIds, scopedIds, type IdKind } from './id-codec';
import { createdAtField, findModel, idKind } from './model-lookup.schema';
import { nativeCollection } from './native-collection.repository';
import type { PortResolver } from './port-resolver.service';
import type { DocumentTransformFunction, SyncAuthorizerFunction } from './ports';
import { Preparation } from './prepare';
import { SchemaCast } from './schema-cast.schema';

export interface SealContext {
  readonly connection: Connection;
  readonly settings: SyncSettings;
  /** The authorizer and the transform for collections that have none of their own. */
  readonly defaults: Pick<SyncOptions, 'authorizer' | 'transform'>;
  readonly ports: PortResolver;
  /** Told of errors of the app's own code, by collection. */
  readonly report: (collection: string) => FailureReport;
}

export interface Sealed {
  readonly collection: SyncedCollection;
  readonly kind: IdKind;
}

/**
 * Resolves one collection's options: model, ports, ids, the native collection.
 *
 * @throws SyncError `configuration`, naming the collection and the remedy
 */
export async function sealCollection(options: SyncCollectionOptions, context: SealContext): Promise<Sealed> {
  const { name } = options;
  const { settings, defaults, ports } = context;
  const where = (option: string) => `collection ${name}: ${option}`;
  const model = findModel(context.connection, options);
  const kind = idKind(options, model);
  const ids = idCodec(options, kind);
  const authorizer = options.authorizer ?? defaults.authorizer;
  const transform = options.transform ?? defaults.transform;
  const unknownFields = options.unknownFields ?? 'reject';
  const report = context.report(name);

  const authorize =
    authorizer &&
    (await ports.resolve<'authorize', SyncAuthorizerFunction>(authorizer, 'authorize', where('authorizer')));
  const resolve =
    options.resolver &&
    (await ports.resolve<'resolve', ConflictResolverFunction>(
      options.resolver,
      'resolve',
      where('resolver'),
    ));
  const preparation = new Preparation({
    collection: name,
    limits: settings.limits,
    transform:
      transform &&
      (await ports.resolve<'transform', DocumentTransformFunction>(
        transform,
        'transform',
        where('transform'),
      )),
    dto: options.dto && makeDtoCheck(name, options.dto, unknownFields),
    schema: model && schemaStep(new SchemaCast(model, unknownFields, report), options, ids),
    report,
  });

  const collection: SyncedCollection = {
    name,
    rules: {
      strategy: resolve ? 'custom' : (options.conflict ?? 'last-writer-wins'),
      deleteUpdatePolicy: options.deleteUpdatePolicy ?? 'resurrect_on_update',
      createdAtField: model && createdAtField(model.schema),
    },
    ids,
    idMode: options.ids ?? 'global',
    allowFullResync: options.allowFullResync ?? true,
    store: nativeCollection(context.connection, name),
    authorize: async (identity, action) => !authorize || isAllowed(authorize, identity, name, action),
    prepare: (identity, docId, data) => preparation.prepare(identity, docId, data),
    cast: (docId, data) => preparation.cast(docId, data),
    resolve: async (conflict) => {
      if (!resolve) throw new SyncError('configuration', `Collection ${name} has no resolver.`);
      return resolve(conflict);
    },
  };
  return { collection, kind };
}

/** With scoped ids the schema's validators of `_id` see the id that the wire shows. */
function schemaStep(
  cast: SchemaCast,
  options: SyncCollectionOptions,
  ids: IdCodec,
): (docId: DocId, data: JsonObject) => Promise<Prepared> {
  return async (docId, data) => {
    const storedId = ids.toStored('', docId);
    if (storedId !== undefined) return cast.cast(options.ids === 'scoped' ? docId : storedId, data);
    const message = `doc_id is not of the type that collection ${options.name} has as its _id.`;
    return { ok: false, rejection: { code: 'invalid_doc_id', message } };
  };
}

function idCodec(options: SyncCollectionOptions, kind: IdKind): IdCodec {
  if (options.ids !== 'scoped')
    return globalIds(kind, { ObjectId: mongoose.mongo.ObjectId, UUID: mongoose.mongo.UUID });
  if (kind !== 'string' && kind !== 'free')
    throw configurationError(
      options.name,
      'ids',
      "'scoped' stores the scope with the id in one string: the schema's _id must be a String, or the collection freeForm",
    );
  return scopedIds(kind);
}
