import type { Aggregate, PipelineStage, Query, Schema } from 'mongoose';
import { SYNC_FIELDS } from '../codec/stored-document';

/** The option with which a query of the app sees tombstones too. */
export const WITH_TOMBSTONES = 'withTombstones';

const QUERIES = [
  'find',
  'findOne',
  'countDocuments',
  'distinct',
  'findOneAndUpdate',
  'findOneAndReplace',
  'findOneAndDelete',
  'updateOne',
  'updateMany',
  'replaceOne',
  'deleteOne',
  'deleteMany',
] as const;

/** Stages that must come first, and give documents of the collection: the filter goes behind them. */
const FIRST_STAGES = new Set(['$match', '$geoNear', '$search', '$vectorSearch']);
/** Stages that must come first, and give something else than documents of the collection. */
const OTHER_SOURCES = new Set([
  '$changeStream',
  '$collStats',
  '$documents',
  '$indexStats',
  '$listSearchIndexes',
  '$planCacheStats',
  '$searchMeta',
]);

/**
 * A Mongoose plugin: the app's own queries, updates, deletions and aggregations of a synced collection do not meet
 * tombstones. `populate` and `exists` are queries too.
 *
 *     ItemSchema.plugin(hideTombstones);
 *     Item.find().setOptions({ withTombstones: true }); // sees them
 *     Item.find({ _sync_deleted: true });               // a filter that names the field is left as it is
 *     Item.aggregate(pipeline, { withTombstones: true });
 *
 * Not covered, because Mongoose gives no place for it: `estimatedDocumentCount`, `Model.bulkWrite`, the collections that
 * a `$lookup`, `$unionWith` or `$graphLookup` joins, and the native driver. An upsert by the `_id` of a tombstone fails
 * with a duplicate key, where it would have changed the tombstone; bring a document back through SyncService.
 */
export function hideTombstones(schema: { path(name: string): unknown }): void {
  const target = schema as unknown as Schema;
  // With strictQuery a filter by a field that the schema does not have is dropped, silently.
  if (!schema.path(SYNC_FIELDS.deleted)) target.add({ [SYNC_FIELDS.deleted]: Boolean });
  target.pre([...QUERIES], { query: true, document: false }, function (this: Query<unknown, unknown>) {
    if (this.getOptions()[WITH_TOMBSTONES] === true || namesDeleted(this.getFilter())) return;
    this.where(live());
  });
  target.pre('aggregate', function (this: Aggregate<unknown>) {
    if ((this.options as Record<string, unknown>)[WITH_TOMBSTONES] === true) return;
    const stages = this.pipeline();
    const first = stageName(stages[0]);
    if (first !== undefined && OTHER_SOURCES.has(first)) return;
    const leading = stages.slice(0, leadingMatches(stages));
    if (leading.some((stage) => namesDeleted(stage))) return;
    stages.splice(first !== undefined && FIRST_STAGES.has(first) ? 1 : 0, 0, { $match: live() });
  });
}

/** A new one each time: Mongoose writes into the filters that it is given. */
function live(): Record<string, unknown> {
  return { [SYNC_FIELDS.deleted]: { $ne: true } };
}

function stageName(stage: PipelineStage | undefined): string | undefined {
  return stage && Object.keys(stage)[0];
}

function leadingMatches(stages: readonly PipelineStage[]): number {
  const end = stages.findIndex((stage) => stageName(stage) !== '$match');
  return end === -1 ? stages.length : end;
}

/** Whether a filter says something about the field, also inside `$and`, `$or` and the like. */
function namesDeleted(filter: unknown): boolean {
  if (typeof filter !== 'object' || filter === null) return false;
  if (Array.isArray(filter)) return filter.some(namesDeleted);
  return Object.entries(filter).some(
    ([key, value]) => key === SYNC_FIELDS.deleted || (key.startsWith('$') && namesDeleted(value)),
  );
}
