import type { JsonObject } from 'nest-offline-sync-protocol';
import { StorageOutdatedError } from './errors.ts';
import { jsonObject } from './fields-of.ts';
import { readMeta, writeMeta } from './meta.ts';
import { quarantine } from './quarantine.ts';
import { raised, raisedMutation, raisedRefused, told, type Shapes, type Step } from './rules/migration.ts';
import type { Told } from './rules/disposition.ts';
import { docKey, type Mutation, type RefusedEntry } from './rules/mutation.ts';
import { unitsOf } from './rules/push-plan.ts';
import type { KeyedStore } from './storage.ts';
import type { Work } from './work.ts';

/**
 * Another tab may run a newer version of the app, which has migrated what waits here.
 *
 * @throws StorageOutdatedError
 */
export async function expectShapes(meta: KeyedStore<string>, shapes: Shapes): Promise<void> {
  const known = await readMeta(meta, 'shapes');
  // What this app does not name any more is none of its business.
  for (const [name, { version }] of shapes)
    if ((known[name] ?? 1) > version) throw new StorageOutdatedError();
}

/**
 * Brings what an older version of the app has left into the shape of this one: the outbox, what it shows, the quarantine. The base is not
 * touched: it is what the server said, and is raised when it is read.
 *
 * @throws StorageOutdatedError if a newer version of the app has written it; nothing was touched then
 */
export async function migrateStored(work: Work, shapes: Shapes, now: number): Promise<void> {
  const { meta, rejected } = work.stores;
  await expectShapes(meta, shapes);
  const known = await readMeta(meta, 'shapes');
  const newer = [...shapes].filter(([name, { version }]) => version > (known[name] ?? 1));
  if (newer.length === 0) return;
  const raises = new Map(newer.map(([name, shape]) => [name, stepsAbove(known[name] ?? 1, shape)]));
  for (const [id, entry] of (await rejected.range()) as [string, RefusedEntry][]) {
    const changes = entry.changes.map((each) => {
      const raise = raises.get(each.collection);
      try {
        return raise ? raisedRefused(each, raise) : each;
      } catch {
        // It is where the user decides already.
        return each;
      }
    });
    await rejected.put(id, { ...entry, changes });
  }
  const failed = new Map<number, string>();
  /** What the server has of each document when the edits so far have come to it. */
  const servers = new Map<string, JsonObject | null>();
  for (const mutation of await work.outbox()) {
    const raise = raises.get(mutation.collection);
    if (!raise) continue;
    const key = docKey(mutation.collection, mutation.doc);
    const { nextBase } = await work.document(mutation.collection, mutation.doc);
    const server = servers.get(key) ?? nextBase?.data ?? null;
    try {
      const made = raisedMutation(mutation, raise, server);
      const { wire, change } = made.state === 'sent' ? mutation : made;
      if (made.state !== 'answered') servers.set(key, told(server, wire ?? change));
      if (made.aside) await work.stores.outbox.put(made.seq, made);
      else await work.put(made);
    } catch (error) {
      failed.set(mutation.seq, String(error));
    }
  }
  // What was sent waits for its answer in the words in which it was sent.
  for (;;) {
    const unit = unitsOf(await work.outbox()).find(
      (all) => all.some((each) => failed.has(each.seq)) && all.every((each) => each.state === 'waiting'),
    );
    if (!unit) break;
    await setAside(work, unit, failed, now);
  }
  const versions = Object.fromEntries([...shapes].map(([name, { version }]) => [name, version]));
  await writeMeta(meta, 'shapes', { ...known, ...versions });
}

async function setAside(
  work: Work,
  unit: readonly Mutation[],
  failed: ReadonlyMap<number, string>,
  now: number,
): Promise<void> {
  const reasons = unit.map((each): Told => {
    const error = failed.get(each.seq);
    return error === undefined
      ? { code: 'batch_rolled_back', error: null }
      : { code: 'migration_failed', error: `This edit cannot be migrated: ${error}` };
  });
  for (const { collection, doc } of await quarantine(work, unit, reasons, now))
    await work.settle(collection, doc, undefined, undefined);
}

function stepsAbove(version: number, shape: { readonly steps: readonly (readonly [number, Step])[] }): Step {
  return (data: JsonObject) => jsonObject(raised(data, shape, version));
}
