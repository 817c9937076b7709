import mongoose, { type Connection } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import type { CaptureRules, ConflictResolverFunction } from '../plan/conflict';
import type { SyncCollectionOptions, SyncOptions } from '../options/sync.options';
import type { SyncSettings } from '../options/settings';
import { notADocument, notAPlainObject, type FailureReport } from './answers';
import type { SyncedCollection } from './collection';
import { configurationError } from './collection-options';
import { DocumentForm, type Checked } from '../plan/document-form';
import { makeDtoCheck } from './dto-check';
import { globalIds, scopedIds, type IdCodec, type IdKind } from '../codec/id-codec';
import { findModel, idKind, idSetter } from './model-lookup';
import { nativeCollection } from './native-collection';
import { checkPatch } from './patch-rules';
import { AppSteps, type PortAnswers } from './port-answers';
import type { PortResolver } from './port-resolver';
import { isRefusal, type DocumentTransformFunction, type SyncAuthorizerFunction } from './ports';
import { Preparation } from './prepare';
import type { AnyModel } from './model-document';
import { SchemaCast } from './schema-cast';
import { hasPath, hiddenFacts, schemaFacts, versionKeyOf } from './schema-facts';

export interface SealContext {
  readonly connection: Connection;
  readonly settings: SyncSettings;
  /** The authorizer and the transform for collections that have none. */
  readonly defaults: Pick<SyncOptions, 'authorizer' | 'transform'>;
  readonly ports: PortResolver;
  /** Hears what the ports answer. */
  readonly answers: PortAnswers;
  /** What the app calls scopes like this one; undefined where it says nothing usable. */
  readonly kindOf: (scopeId: string) => string | undefined;
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
  const { settings, defaults, ports, answers } = context;
  const where = (option: string) => `collection ${name}: ${option}`;
  const model = findModel(context.connection, options);
  const kind = idKind(options, model);
  const ids = idCodec(options, kind, model);
  const authorizer = options.authorizer ?? defaults.authorizer;
  const transform = options.transform ?? defaults.transform;
  const unknownFields = options.unknownFields ?? 'reject';
  const report = context.report(name);
  const kinds = options.scopes && new Set(options.scopes);

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
  const steps = new AppSteps();
  const cast = model && new SchemaCast(model, unknownFields, report);
  const form = documentForm(options, model, cast);
  const applyTransform =
    transform &&
    (await ports.resolve<'transform', DocumentTransformFunction>(transform, 'transform', where('transform')));
  const dto = options.dto && makeDtoCheck(name, options.dto, unknownFields);
  const preparation = new Preparation({
    collection: name,
    limits: settings.limits,
    unknownFields,
    facts: form?.facts,
    versionKey: model && versionKeyOf(model.schema),
    transform:
      applyTransform &&
      steps.watched('the transform', async (...given: Parameters<DocumentTransformFunction>) => {
        const answer = await applyTransform(...given);
        if (answer !== undefined && answer !== null)
          answers.expectDocument(where('transform'), notAPlainObject(answer));
        return answer;
      }),
    dto: dto && steps.watched('the DTO', dto),
    schema:
      cast &&
      // Built-in rules are asked at once: a promise for each change would cost more than they do.
      (cast.asksApp ? steps.watched('the validators', castBy(cast)) : castBy(cast)),
    report,
  });

  const collection: SyncedCollection = {
    name,
    rules: {
      strategy: resolve ? 'custom' : (options.conflict ?? 'last-writer-wins'),
      deleteUpdatePolicy: options.deleteUpdatePolicy ?? 'resurrect_on_update',
      form,
      limits: settings.limits,
      ...(options.capture === true ? { capture: captureRules(options) } : {}),
      preparesByApp: transform !== undefined || options.dto !== undefined,
    },
    ids,
    idMode: options.ids ?? 'global',
    allowFullResync: options.allowFullResync ?? true,
    livesIn: (scopeId) => {
      const kind = kinds && context.kindOf(scopeId);
      return kinds === undefined || (kind !== undefined && kinds.has(kind));
    },
    store: nativeCollection(context.connection, name),
    authorize: async (identity, action) => {
      if (!authorize) return true;
      try {
        return await answers.isYes(where('authorizer'), authorize(identity, name, action));
      } catch (error) {
        if (isRefusal(error)) return false;
        throw error;
      }
    },
    prepare: (identity, documentIds, data, expectsNew) =>
      preparation.prepare(identity, documentIds, data, expectsNew),
    checkPatch: (patch) => checkPatch(patch, { limits: settings.limits, facts: form?.facts, unknownFields }),
    preparePatched: (identity, documentIds, wire, touched) =>
      preparation.preparePatched(identity, documentIds, wire, touched),
    slowStep: () => steps.slowest,
    cast: (documentIds, data) => preparation.cast(documentIds, data),
    settle: async (documentIds, prepared, current) => {
      if (!prepared.ok) return prepared;
      const { document, content } = prepared;
      if (!form || !content) return { ok: true, document };
      const settled = form.settle(documentIds, document, content, current);
      return settled.ok === 'ask' && cast
        ? cast.verify(documentIds, settled.document, current)
        : (settled as Checked);
    },
    verify: async (documentIds, document, current) =>
      cast ? cast.verify(documentIds, document, current) : { ok: true, document },
    resolve: async (conflict) => {
      if (!resolve) throw new SyncError('configuration', `Collection ${name} has no resolver.`);
      const answer = await resolve(conflict);
      if (answer !== null) answers.expectDocument(where('resolver'), notADocument(answer));
      return answer;
    },
  };
  return { collection, kind };
}

function captureRules({ scopeField }: SyncCollectionOptions): CaptureRules {
  return scopeField === undefined ? {} : { scopeField };
}

function castBy(cast: SchemaCast): SchemaCast['cast'] {
  return (...given) => cast.cast(...given);
}

/** Undefined where documents are stored and shown just as they come. */
function documentForm(
  { name, hidden }: SyncCollectionOptions,
  model: AnyModel | undefined,
  cast: SchemaCast | undefined,
): DocumentForm | undefined {
  if (model && cast) {
    for (const path of hidden ?? [])
      if (!hasPath(model.schema, path))
        throw configurationError(name, 'hidden', `names ${path}, which the schema does not have`);
    return new DocumentForm(
      schemaFacts(model.schema, hidden, (stored) => cast.hydrate(stored)),
      cast,
    );
  }
  return hidden && hidden.length > 0 ? new DocumentForm(hiddenFacts(hidden)) : undefined;
}

function idCodec(options: SyncCollectionOptions, kind: IdKind, model: AnyModel | undefined): IdCodec {
  const codec = codecOf(options, kind);
  const set = model && idSetter(model);
  if (!set) return codec;
  // An id that the schema would store in another way is none: two spellings would be two documents on the devices.
  return {
    ...codec,
    toStored: (scopeId, docId) => (set(docId) === docId ? codec.toStored(scopeId, docId) : undefined),
  };
}

function codecOf(options: SyncCollectionOptions, kind: IdKind): IdCodec {
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
