import { parseEnvelope, type Envelope } from './envelope.ts';
import { parseHlc } from './hlc.ts';
import { isDocId, MAX_ID_BYTES, type DocId, type Operation } from './change.ts';
import { SyncError, type ErrorCode, type Rejection } from './errors.ts';
import { isObject, type JsonObject } from './json.ts';
import { isShortText } from './text.ts';
import { parsePatch, type PatchBody } from './patch.ts';

/** `batch`: all changes of the push or none. `mutation`: each for itself, or each group of them. */
export type Atomicity = 'batch' | 'mutation';

/** A change as a client writes it. What a patch has in addition is in PatchBody. */
export interface SentChange {
  readonly collection: string;
  readonly operation: Operation;
  readonly doc_id: DocId;
  /** The whole document; missing in a delete. */
  readonly data?: JsonObject | null;
  /** The version that the client edited; missing when it knew none. */
  readonly parent_version?: string | null;
  readonly hlc?: string | null;
  readonly mutation_id?: string | number | null;
}

/** The body of POST push as a client writes it. */
export interface SentPush {
  readonly client_id: string;
  readonly atomic?: Atomicity;
  readonly changes: readonly SentChange[];
}

/** One change of a push, its shape checked. */
export interface PushChange {
  readonly collection: string;
  readonly operation: Operation;
  readonly doc_id: DocId;
  /** The whole document; of a patch all that it carries; null for a delete. */
  readonly data: JsonObject | null;
  /** The same as `data`, of a patch alone. */
  readonly patch?: PatchBody;
  /** The version that the client edited; null when it knew none. */
  readonly parent_version: string | null;
  /** When the client edited: its own HLC. Edit stamps decide who is the last writer. */
  readonly hlc: string | null;
  /** Unique for this client: a retry under the same id takes effect at most once. */
  readonly mutation_id: string | null;
  /** The client's own earlier mutation of the document that it builds on. */
  readonly parent_mutation_id?: string;
  /** The answer shows the stored document. */
  readonly return?: 'document';
}

/** A change, or why its shape cannot be one. One bad change never refuses the others, but for those of its group. */
export type ParsedChange = { readonly group?: string } & (
  | { readonly ok: true; readonly change: PushChange }
  | {
      readonly ok: false;
      /** Which document it names, as far as that can be told. */
      readonly collection?: string;
      readonly doc_id: DocId | null;
      readonly mutation_id: string | null;
      readonly rejection: Rejection;
    }
);

export interface PushRequest extends Envelope {
  readonly clientId: string;
  /** Undefined: the module's default. */
  readonly atomic: Atomicity | undefined;
  readonly changes: readonly ParsedChange[];
}

/** The server's document, where the identity may read the collection. */
export interface ServerDocument {
  /** Null: stored before it was synced. */
  readonly version: string | null;
  readonly deleted: boolean;
  readonly data: JsonObject | null;
}

/** What a mutation was answered first. */
export interface FirstAnswer {
  /** Of the document that it was about, where the identity may read its collection. */
  readonly doc_id?: DocId;
  readonly status: PushResult['status'];
  readonly new_version: string | null;
  readonly server_version: string | null;
  readonly code: ErrorCode | null;
  /** Null also where the identity may not read the collection. */
  readonly error: string | null;
}

/** The answer to one change, in the order of the request. */
export interface PushResult {
  readonly doc_id: DocId | null;
  readonly status: 'accepted' | 'conflict_resolved' | 'rejected';
  /** The version that the change got; null when it was rejected. */
  readonly new_version: string | null;
  /** The version that stood in the way of a rejected or resolved conflict. */
  readonly server_version: string | null;
  readonly code: ErrorCode | null;
  /** What was wrong and what to do. */
  readonly error: string | null;
  /** Null: a rejected change whose document the scope does not have. */
  readonly server_document?: ServerDocument | null;
  readonly mutation_id?: string;
  /** True when the mutation had been answered before: this is the first answer again. */
  readonly replayed?: true;
  /** Of `new_version`, where this change has written it. */
  readonly seq?: number;
  /** The stored document is not the one that was sent. Where the identity may read the collection. */
  readonly changed?: true;
  /** With `mutation_id_reused`: what the mutation was that has this id. */
  readonly first_answer?: FirstAnswer;
}

export interface PushResponse {
  readonly results: readonly PushResult[];
  /** The clock that stamps are judged by, ISO 8601 in UTC: a device whose clock is wrong learns by how much. */
  readonly server_time?: string;
}

const NAME_BYTES = 128;
const NAME_RULE = `must be a string of 1 to ${NAME_BYTES} bytes without NUL, or a safe integer`;

/**
 * Checks the envelope of a push. Unknown fields are ignored, as the original does.
 *
 * @throws SyncError `malformed_request` or `too_many_changes` when the request as a whole makes no sense
 */
export function parsePushRequest(body: unknown, maxChanges: number): PushRequest {
  if (!isObject(body)) throw malformed('body', 'must be a JSON object');
  const { client_id: clientId, atomic, changes } = body;
  if (!isName(clientId))
    throw malformed('client_id', `must be a string of 1 to ${NAME_BYTES} bytes without NUL`);
  if (atomic !== undefined && atomic !== null && atomic !== 'batch' && atomic !== 'mutation')
    throw malformed('atomic', 'must be "batch" or "mutation"');
  if (!Array.isArray(changes) || changes.length === 0)
    throw malformed('changes', 'must be an array of at least one change');
  if (changes.length > maxChanges)
    throw new SyncError(
      'too_many_changes',
      `A push holds at most ${maxChanges} changes; send the rest in further pushes.`,
      {
        path: 'changes',
        limit: maxChanges,
      },
    );
  const groups = parseGroups(changes);
  const parsed = withoutCircles(changes.map(parseChange));
  return {
    ...parseEnvelope(body),
    clientId,
    atomic: atomic ?? undefined,
    changes: parsed.map((change, index) => {
      const group = groups[index];
      return group === undefined ? change : { ...change, group };
    }),
  };
}

/** Refuses mutations that build on themselves, by way of others. */
function withoutCircles(changes: readonly ParsedChange[]): readonly ParsedChange[] {
  const parents = new Map<string, string>();
  for (const entry of changes) {
    const { mutation_id: id = null, parent_mutation_id: parent } = entry.ok ? entry.change : {};
    if (id !== null && parent !== undefined && !parents.has(id)) parents.set(id, parent);
  }
  const done = new Set<string>();
  const circular = new Set<string>();
  for (const start of parents.keys()) {
    const path = new Set<string>();
    let id: string | undefined = start;
    while (id !== undefined && !done.has(id) && !path.has(id)) {
      path.add(id);
      id = parents.get(id);
    }
    let isInCircle = false;
    for (const each of path) {
      isInCircle ||= each === id;
      if (isInCircle) circular.add(each);
      done.add(each);
    }
  }
  if (circular.size === 0) return changes;
  return changes.map((entry, index): ParsedChange => {
    if (!entry.ok || !circular.has(entry.change.mutation_id ?? '')) return entry;
    const { collection, doc_id, mutation_id } = entry.change;
    const message = `changes[${index}].parent_mutation_id builds on itself: a mutation can only build on one that came before it.`;
    return { ok: false, collection, doc_id, mutation_id, rejection: { code: 'invalid_change', message } };
  });
}

/** The group of each change. Which changes stand or fall together has to be clear before one of them is looked at. */
function parseGroups(changes: readonly unknown[]): (string | undefined)[] {
  const seen = new Set<string>();
  let last: string | undefined;
  return changes.map((change, index) => {
    const path = `changes[${index}].group`;
    const given = isObject(change) ? change['group'] : undefined;
    const group = parseMutationId(given);
    if (group === undefined) throw malformed(path, NAME_RULE);
    if (group !== null && group !== last) {
      if (seen.has(group))
        throw malformed(path, 'names a group that has ended: the changes of a group must follow one another');
      seen.add(group);
    }
    last = group ?? undefined;
    return last;
  });
}

function parseChange(value: unknown, index: number): ParsedChange {
  const raw: Record<string, unknown> = isObject(value) ? value : {};
  const collection = raw['collection'];
  const docId = isDocId(raw['doc_id']) ? normalized(raw['doc_id']) : null;
  const mutationId = parseMutationId(raw['mutation_id']);
  const refuse = (code: ErrorCode, field: string, problem: string): ParsedChange => ({
    ok: false,
    ...(typeof collection === 'string' ? { collection } : {}),
    doc_id: docId,
    mutation_id: mutationId ?? null,
    rejection: { code, message: `changes[${index}]${field} ${problem}.` },
  });

  if (!isObject(value)) return refuse('invalid_change', '', 'must be an object');
  if (mutationId === undefined) return refuse('invalid_change', '.mutation_id', NAME_RULE);
  if (typeof collection !== 'string') return refuse('invalid_change', '.collection', 'must be a string');
  const operation = raw['operation'];
  if (operation !== 'upsert' && operation !== 'delete' && operation !== 'patch')
    return refuse('invalid_change', '.operation', 'must be "upsert", "patch" or "delete"');
  if (docId === null)
    return refuse(
      'invalid_doc_id',
      '.doc_id',
      `must be a string of 1 to ${MAX_ID_BYTES} bytes without NUL, or a safe integer`,
    );
  const parent = parseStamp(raw['parent_version']);
  if (parent === undefined)
    return refuse(
      'invalid_version',
      '.parent_version',
      'must be a version that this server gave, null or ""',
    );
  const hlc = parseStamp(raw['hlc']);
  if (hlc === undefined)
    return refuse('invalid_version', '.hlc', 'must be a stamp such as 20260502T120000.000Z-0001-a1b2');
  const parentMutation = parseMutationId(raw['parent_mutation_id']);
  if (parentMutation === undefined) return refuse('invalid_change', '.parent_mutation_id', NAME_RULE);
  const returns = raw['return'] ?? null;
  if (returns !== null && returns !== 'document')
    return refuse('invalid_change', '.return', 'must be "document"');
  const data = raw['data'] ?? null;
  if (operation === 'upsert' && !isObject(data))
    return refuse('invalid_data', '.data', 'must be an object for an upsert');
  const parsed = operation === 'patch' ? parsePatch(raw, mutationId !== null) : undefined;
  if (parsed?.ok === false) return refuse(parsed.code, parsed.field, parsed.problem);
  const body = { upsert: data, delete: null, patch: parsed?.patch }[operation];
  return {
    ok: true,
    change: {
      collection,
      operation,
      doc_id: docId,
      data: body as JsonObject | null,
      ...(parsed ? { patch: parsed.patch } : {}),
      parent_version: parent,
      hlc,
      mutation_id: mutationId,
      ...(parentMutation === null ? {} : { parent_mutation_id: parentMutation }),
      ...(returns === null ? {} : { return: returns }),
    },
  };
}

/** null: none given. undefined: unusable. */
function parseStamp(value: unknown): string | null | undefined {
  if (value === undefined || value === null || value === '') return null;
  return typeof value === 'string' && parseHlc(value) ? value : undefined;
}

function parseMutationId(value: unknown): string | null | undefined {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(normalized(value)) : undefined;
  return isName(value) ? value : undefined;
}

function isName(value: unknown): value is string {
  return isShortText(value, NAME_BYTES);
}

function normalized<T extends DocId>(id: T): T {
  return id === 0 ? (0 as T) : id;
}

function malformed(path: string, problem: string): SyncError {
  return new SyncError('malformed_request', `${path} ${problem}.`, { path });
}
