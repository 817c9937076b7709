import { isObject, type Json } from 'nest-offline-sync-protocol';
import { factsOf, type FieldFacts } from './field-facts';

/** A value that a patch adds to a list or removes from it: as it was sent, and as the schema casts it. */
export interface Member {
  readonly sent: Json;
  /** In its wire form. */
  readonly cast: Json;
}

/**
 * A list with members that it does not hold yet, at its end.
 *
 * A list is taken as a set here: two values are the same member if they are deeply equal, whatever the order of their
 * keys. What the server puts into an object (an `_id`, a time) makes no difference where the member does not name it.
 *
 * @returns undefined when it holds them all
 */
export function withMembers(
  facts: FieldFacts,
  list: readonly Json[],
  members: readonly Member[],
): readonly Json[] | undefined {
  const held = new Keys(facts, list);
  const added: Json[] = [];
  for (const member of members) {
    if (held.has(member)) continue;
    added.push(member.sent);
    held.note(member.cast);
  }
  return added.length > 0 ? [...list, ...added] : undefined;
}

/** A list without members; undefined when it holds none of them. */
export function withoutMembers(
  facts: FieldFacts,
  list: readonly Json[],
  members: readonly Member[],
): readonly Json[] | undefined {
  const gone = new Map<string, Set<string>>();
  for (const { sent, cast } of members) {
    const names = namedGenerated(facts, sent);
    const signature = names.join();
    const keys = gone.get(signature) ?? new Set();
    gone.set(signature, keys.add(keyOf(facts, cast, names)));
  }
  const rest = list.filter((element) => {
    for (const [signature, keys] of gone)
      if (keys.has(keyOf(facts, element, namesIn(signature)))) return false;
    return true;
  });
  return rest.length < list.length ? rest : undefined;
}

/** What a list holds, by the keys of its elements; for each set of generated fields that members name. */
class Keys {
  private readonly elements: Json[];
  private readonly bySignature = new Map<string, Set<string>>();

  constructor(
    private readonly facts: FieldFacts,
    list: readonly Json[],
  ) {
    this.elements = [...list];
  }

  note(element: Json): void {
    this.elements.push(element);
    for (const [signature, keys] of this.bySignature)
      keys.add(keyOf(this.facts, element, namesIn(signature)));
  }

  has({ sent, cast }: Member): boolean {
    const names = namedGenerated(this.facts, sent);
    const signature = names.join();
    let keys = this.bySignature.get(signature);
    if (!keys) {
      keys = new Set(this.elements.map((element) => keyOf(this.facts, element, names)));
      this.bySignature.set(signature, keys);
    }
    return keys.has(keyOf(this.facts, cast, names));
  }
}

/** The fields of a value that the server would have generated, had they been missing. Names of a schema: without commas. */
function namedGenerated(facts: FieldFacts, value: Json): string[] {
  if (!isObject(value)) return [];
  return Object.keys(value)
    .filter((key) => factsOf(facts, key).isGenerated === true)
    .sort();
}

function namesIn(signature: string): string[] {
  return signature === '' ? [] : signature.split(',');
}

/**
 * The same text for the same values.
 *
 * @param names generated fields that count
 */
function keyOf(facts: FieldFacts, value: Json, names: readonly string[] = []): string {
  if (Array.isArray(value)) return `[${value.map((item: Json) => keyOf(facts, item)).join()}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const parts: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const of = factsOf(facts, key);
    if (of.time !== undefined || (of.isGenerated === true && !names.includes(key))) continue;
    parts.push(`${JSON.stringify(key)}:${keyOf(of, value[key] as Json)}`);
  }
  return `{${parts.join()}}`;
}
