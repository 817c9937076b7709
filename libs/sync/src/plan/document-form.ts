import { dataPath, type DocId, type JsonObject, type Rejection } from 'nest-offline-sync-protocol';
import type { StoredDocument, StoredId } from '../codec/stored-document';
import { agrees, compose, findImmutable, type Trace } from './composition';
import {
  dropFields,
  findHidden,
  holds,
  isHidden,
  isKeptByServer,
  keepHidden,
  type FieldFacts,
} from './field-facts';
import { encodeDocument } from '../codec/wire-codec';

/** A document that may be stored, or why not. */
export type Checked =
  | { readonly ok: true; readonly document: StoredDocument }
  | { readonly ok: false; readonly rejection: Rejection };

/** A document's id in its two forms. */
export interface DocumentIds {
  readonly storedId: StoredId;
  readonly wireId: DocId;
}

/** What a cast could not take. Void where the value at this path came back as it is stored. */
export interface Problem {
  readonly path: readonly (string | number)[];
  readonly rejection: Rejection;
}

/** What the rules of a schema, the app's own functions among them, have said of one document. */
export interface Verdict {
  /** {@link DocumentForm.verdictKey}. */
  readonly of: string;
  readonly checked: Checked;
}

/** What was made of a document that came in, before it is known what it meets. */
export interface Content {
  /** Its wire form, after the transform and the DTO: what its sender has said, and nothing else. */
  readonly sent: JsonObject;
  readonly problems: readonly Problem[];
  readonly verdicts: readonly Verdict[];
}

/** Whether a document may be stored, or the app's own functions have to be asked first. */
export type Settled = Checked | { readonly ok: 'ask'; readonly document: StoredDocument };

/** A document before any rule is asked about it; or why there is none. */
export type CastOutcome =
  | { readonly ok: true; readonly document: StoredDocument; readonly problems: readonly Problem[] }
  | { readonly ok: false; readonly rejection: Rejection };

/** The rules of a Mongoose schema, as far as they can be asked at once. */
export interface SchemaRules {
  /** Validators or hooks of the app: they may wait for something, so they are asked outside of transactions. */
  readonly asksApp: boolean;
  /** It has an `_id` and nothing else: there is no document that it refuses. */
  readonly asksNothing: boolean;
  /** Setters of the app: run on a value that was stored, they may make another one of it. */
  readonly hasSetters: boolean;
  /** An edit of an immutable field is refused instead of being left aside. */
  readonly refusesImmutable: boolean;
  /** What a wire form is cast to, and what could not be. Setters run, and the defaults of a new document are in it. */
  castWire(ids: DocumentIds, wire: JsonObject): CastOutcome;
  /** The schema's built-in rules. */
  check(ids: DocumentIds, document: StoredDocument, current: StoredDocument | undefined): Checked;
  /** Stored values for those of a wire form; no setter runs. */
  revive(wire: JsonObject): StoredDocument;
  /** The schema's timestamps and its version key. */
  stamp(document: StoredDocument, current: StoredDocument | undefined): StoredDocument;
}

/** {@link Verdict.of} a document where none stands. */
const NEW = 'new';

/**
 * How the documents of a collection are made and shown: pure, so that the planner can decide about a change by
 * the document that it really meets.
 */
export class DocumentForm {
  private readonly hides: boolean;
  /** Whether fields are hidden that the app wants hidden. */
  readonly hasSecrets: boolean;
  /** Hidden fields of the document itself. */
  readonly hiddenNames: readonly string[];
  /** Whether other fields hold hidden ones. */
  readonly hidesInside: boolean;

  constructor(
    readonly facts: FieldFacts,
    readonly rules?: SchemaRules,
  ) {
    this.hides = holds(facts, isHidden);
    this.hasSecrets = holds(facts, (of) => isHidden(of) && !of.isVersionKey);
    const fields = [...(facts.children ?? [])];
    this.hiddenNames = fields.filter(([, of]) => isHidden(of)).map(([name]) => name);
    this.hidesInside = fields.some(([, of]) => holds(of, isHidden));
  }

  /** A stored document as clients see it: no hidden field, no version key (invariant 5). */
  encode(stored: StoredDocument): JsonObject {
    const wire = encodeDocument(stored);
    if (this.hides) dropFields(this.facts, wire, isHidden);
    return wire;
  }

  /** Takes hidden fields out of a document's wire form that was made before they were hidden. Changes it in place. */
  hide(wire: JsonObject): boolean {
    if (!findHidden(this.facts, wire)) return false;
    dropFields(this.facts, wire, isHidden);
    return true;
  }

  /**
   * What a document that came in makes of the one that stands.
   *
   * @param base the document as its sender knew it, where it is not the current one and the log has it
   */
  settle(
    ids: DocumentIds,
    cast: StoredDocument,
    content: Content,
    current: StoredDocument | undefined,
    base?: JsonObject | null,
  ): Settled {
    if (!current) {
      const [problem] = content.problems;
      if (problem) return { ok: false, rejection: problem.rejection };
      return this.asNew(cast, content);
    }
    const trace = { bent: false };
    const composed = this.compose(cast, content, current, base, trace);
    if (!composed.ok) return composed;
    const { document } = composed;
    // Built-in rules say the same of the same data, whatever it replaces.
    if (this.rules && !this.rules.asksApp && !trace.bent) {
      const verdict = this.asNew(cast, content);
      return verdict.ok === true ? composed : verdict;
    }
    return this.verify(ids, document, content, current);
  }

  /** The document of {@link settle}, before the schema's rules are asked about it. */
  compose(
    cast: StoredDocument,
    content: Content,
    current: StoredDocument,
    base?: JsonObject | null,
    trace?: Trace,
  ): Checked {
    const { sent } = content;
    const wire = this.encode(current);
    let document = cast;
    if (base && this.rules?.hasSetters) {
      document = compose(this.facts, sent, document, { stored: this.rules.revive(base), wire: base });
      if (trace) trace.bent = true;
    }
    const problem = content.problems.find(({ path }) => !comesBack(path, sent, wire));
    if (problem) return { ok: false, rejection: problem.rejection };
    const fixed = this.rules?.refusesImmutable && findImmutable(this.facts, sent, wire, current);
    if (fixed)
      return {
        ok: false,
        rejection: {
          code: 'validation_failed',
          message: `${dataPath(fixed)} cannot be changed once it is stored: send it as it is.`,
        },
      };
    return { ok: true, document: compose(this.facts, sent, document, { stored: current, wire }, trace) };
  }

  /** A document that was made of what clients see, with the hidden fields of the one that it replaces. */
  withHidden(document: StoredDocument, current: StoredDocument): StoredDocument {
    return this.hides ? keepHidden(this.facts, document, current) : document;
  }

  /** The schema's rules on a document that replaces the current one. */
  verify(
    ids: DocumentIds,
    document: StoredDocument,
    { verdicts }: Pick<Content, 'verdicts'>,
    current: StoredDocument | undefined,
  ): Settled {
    if (!this.rules) return { ok: true, document };
    if (!this.rules.asksApp) return this.rules.check(ids, document, current);
    const key = this.verdictKey(document, current);
    return verdicts.find(({ of }) => of === key)?.checked ?? { ok: 'ask', document };
  }

  /**
   * What a verdict holds for: the document's content, whatever the version that it replaces. So a document that many
   * devices write at once starves none of them.
   */
  verdictKey(document: StoredDocument, current: StoredDocument | undefined): string {
    if (!current) return NEW;
    const content = encodeDocument(document);
    dropFields(this.facts, content, isKeptByServer);
    return JSON.stringify(content);
  }

  /** The document with what the server keeps in it: timestamps, and the version key, which moves with each edit. */
  stamp(document: StoredDocument, current: StoredDocument | undefined): StoredDocument {
    return this.rules ? this.rules.stamp(document, current) : document;
  }

  private asNew(document: StoredDocument, { verdicts }: Content): Settled {
    if (!this.rules) return { ok: true, document };
    return verdicts.find(({ of }) => of === NEW)?.checked ?? { ok: 'ask', document };
  }
}

/** {@link Content.verdicts} with the word on a document that takes no other's place. */
export function verdictAsNew(checked: Checked): Verdict {
  return { of: NEW, checked };
}

/** Whether what was sent at a path, or around it, is what clients were shown there. */
function comesBack(path: Problem['path'], sent: JsonObject, wire: JsonObject): boolean {
  let given: unknown = sent;
  let shown: unknown = wire;
  for (const step of path) {
    if (!holdsField(given, step) || !holdsField(shown, step)) return false;
    given = given[step];
    shown = shown[step];
  }
  return agrees({}, given, undefined, shown as JsonObject);
}

function holdsField(value: unknown, step: string | number): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, step);
}
