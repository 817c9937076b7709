import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import { InvalidEditError } from './errors.ts';
import { readMeta, writeMeta } from './meta.ts';
import { edit, shown } from './rules/chain.ts';
import { carried } from './rules/migration.ts';
import type { Change } from './rules/mutation.ts';
import { sameJson } from './rules/fields.ts';
import type { Work } from './work.ts';

/** An edit that the user makes. */
export interface Intent {
  readonly collection: string;
  readonly doc: DocId;
  readonly kind: 'create' | 'upsert' | 'patch' | 'delete';
  /** From what the user sees at that moment. May be asked more than once. */
  readonly change: (seen: JsonObject | null) => Change;
  /** Of the mutation, if it becomes one of its own. */
  readonly mutation: string;
}

export interface EditContext {
  readonly editedAt: number;
  /** One for all, if they stand or fall together. */
  readonly tx?: string | undefined;
  readonly coalesces: (collection: string) => boolean;
}

/**
 * Writes edits down.
 *
 * @returns the mutation that each became part of; undefined if nothing was left of it
 * @throws InvalidEditError
 */
export async function makeEdits(
  work: Work,
  intents: readonly Intent[],
  { editedAt, tx, coalesces }: EditContext,
): Promise<(string | undefined)[]> {
  const { meta } = work.stores;
  let { seq } = await readMeta(meta, 'counter');
  const { seen } = await readMeta(meta, 'clock');
  const mutations: (string | undefined)[] = [];
  for (const { collection, doc, kind, change, mutation } of intents) {
    const { chain, base } = await work.seen(collection, doc);
    seq += 1;
    const made = { collection, doc, kind, id: mutation, seq, editedAt, seen, tx };
    const before = shown(chain, base);
    // What is wrong anyway is found by `edit`, without a call of the user's function.
    const isWrong = (kind === 'patch' && !before) || kind === 'delete';
    const asked: Change = isWrong ? { operation: 'delete' } : change(before);
    const said = work.isRaised(collection)
      ? carried(asked, await work.server(collection, doc), before)
      : asked;
    const edited = edit(chain, base, { ...made, change: said }, coalesces(collection));
    if (!edited.ok) throw refusal(collection, doc, edited);
    if (edited.drop) {
      await work.drop(edited.drop);
      work.ended(edited.drop.id, { status: 'withdrawn' });
    }
    if (edited.put) await work.put(edited.put);
    mutations.push(edited.mutation);
  }
  await writeMeta(meta, 'counter', { seq });
  return mutations;
}

/** Whether what a transaction was shown is what stands now. */
export async function stillSeen(
  work: Work,
  reads: ReadonlyMap<
    string,
    { readonly collection: string; readonly doc: DocId; readonly data: JsonObject | null }
  >,
): Promise<boolean> {
  for (const { collection, doc, data } of reads.values()) {
    const { chain, base } = await work.seen(collection, doc);
    if (!sameJson(shown(chain, base), data)) return false;
  }
  return true;
}

/** Why an edit cannot be made, in words. */
export function refusal(
  collection: string,
  doc: DocId,
  edited: { problem: 'exists' | 'missing' } | { problem: 'mismatch'; path: string; text: string },
): InvalidEditError {
  const name = `${collection} ${JSON.stringify(doc)}`;
  switch (edited.problem) {
    case 'exists':
      return new InvalidEditError(
        'document_exists',
        `There is a document ${name} already. Use patch or upsert, or another id.`,
      );
    case 'missing':
      return new InvalidEditError(
        'document_missing',
        `There is no document ${name} on this device. Use create or upsert, or wait until it has been loaded.`,
      );
    case 'mismatch':
      return new InvalidEditError(
        'patch_mismatch',
        `The field ${JSON.stringify(edited.path)} of ${name} ${edited.text}. Read the document, and patch what is there.`,
      );
  }
}
