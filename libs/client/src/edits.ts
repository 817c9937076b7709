import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import type { RawEdit } from './collection.ts';
import { InvalidEditError, UsageError } from './errors.ts';
import type { Replica } from './replica.ts';
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
  const counter = await work.counter();
  const mutations: (string | undefined)[] = [];
  for (const { collection, doc, kind, change, mutation } of intents) {
    const { chain, base } = await work.seen(collection, doc);
    counter.seq += 1;
    const made = { collection, doc, kind, id: mutation, ...counter, editedAt, tx };
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
  return mutations;
}

const MAX_RUNS = 10;

/**
 * Writes one edit down. What checks it may wait for something, which no transaction of the storage survives: so it is checked before, and again if
 * the document was changed meanwhile.
 *
 * @param also what is done in the same transaction before it; fails if the edit may not be made any more
 * @returns the mutation that it became part of
 * @throws InvalidEditError
 */
export async function makeEdit(
  replica: Replica,
  intent: Intent,
  check: RawEdit['check'],
  context: EditContext,
  also?: (work: Work) => Promise<void>,
): Promise<string | undefined> {
  const { collection, doc, kind, change } = intent;
  const made = async (work: Work, now: Intent): Promise<(string | undefined)[]> => {
    await also?.(work);
    return makeEdits(work, [now], context);
  };
  // What else is written is not taken back with an edit that fails among others.
  const write = <T>(body: (work: Work) => Promise<T>): Promise<T> =>
    also ? replica.write('user', body) : replica.edit(intent, body);
  if (!check) return (await write((work) => made(work, intent)))[0];
  for (let run = 0; run < MAX_RUNS; run++) {
    const [data = null] = await replica.look(collection, [doc]);
    const isWrong = data ? kind === 'create' : kind === 'patch' || kind === 'delete';
    const said = isWrong ? undefined : await check(data, change(data));
    const now = said ? { ...intent, change: () => said } : intent;
    const isMade = await write(async (work) =>
      (await stillSeen(work, [{ collection, doc, data }])) ? made(work, now) : undefined,
    );
    if (isMade) return isMade[0];
  }
  throw busy();
}

/** It was changed by others each time. */
export function busy(): UsageError {
  return new UsageError(
    'What the edit was made on was changed by others each time it was tried. Read fewer documents for it, and await nothing slow.',
  );
}

/** Whether what a transaction was shown is what stands now. */
export async function stillSeen(
  work: Work,
  reads: Iterable<{ readonly collection: string; readonly doc: DocId; readonly data: JsonObject | null }>,
): Promise<boolean> {
  for (const { collection, doc, data } of reads) {
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
