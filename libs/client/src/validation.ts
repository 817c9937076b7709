import { isObject, utf8Length } from 'nest-offline-sync-protocol';
import { ConfigurationError } from './errors.ts';

/** What a value has to be: a test, and the words for it. */
type Rule = readonly [fits: (value: unknown) => boolean, words: string, isNeeded?: true];
type Rules = Readonly<Record<string, Rule>>;

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isCall = (value: unknown): boolean => typeof value === 'function';
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const has = (value: unknown, ...names: readonly string[]): boolean =>
  isObject(value) && names.every((name) => isCall(value[name]));

const CALL: Rule = [isCall, 'a function'];
const FLAG: Rule = [isFlag, 'true or false'];
const OBJECT: Rule = [isObject, 'an object'];
const whole = (max: number): Rule => [
  (value) => Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max,
  max === Infinity ? 'a whole number of 1 or more' : `a whole number of 1 to ${max}`,
];
const COUNT = whole(Infinity);
const WAIT = whole(600_000);

const OPTIONS: Rules = {
  url: [
    (value) => /^https?:\/\/[^/?#\s]+[^?#\s]*$/i.test(String(value)) && isText(value),
    'an address that begins with http:// or https://, without a query: `${location.origin}/sync`',
    true,
  ],
  app: [isText, 'a text that is not empty'],
  storage: [
    (value) => has(value, 'open', 'remove', 'list') && isText((value as { kind?: unknown }).kind),
    'what memory(), indexedDb() or sqlite(…) gives',
    true,
  ],
  auth: [isObject, 'an object with token', true],
  collections: [isObject, 'an object of what collection() gives, by name', true],
  stream: [
    (value) => isFlag(value) || (isText(value) && /^(ws|http)s?:\/\/[^/?#\s]/i.test(String(value))),
    'true, false, or an address that begins with ws:// or wss://',
  ],
  coalesce: FLAG,
  clientSchema: [
    (value) =>
      Number.isSafeInteger(value) || (isText(value) && (utf8Length(value as string) ?? Infinity) <= 128),
    'a text of 1 to 128 bytes, or a safe integer',
  ],
  limits: OBJECT,
  backoff: OBJECT,
  onEvent: CALL,
  environment: OBJECT,
};

const PARTS: Readonly<Record<string, Rules>> = {
  auth: { token: [isCall, 'a function that gives an access token', true], identity: CALL },
  limits: {
    maxPushChanges: COUNT,
    maxPushBytes: COUNT,
    maxTransactionChanges: COUNT,
    maxTransactionBytes: COUNT,
  },
  backoff: { baseMs: WAIT, maxMs: WAIT },
  environment: {
    now: CALL,
    random: CALL,
    randomBytes: CALL,
    timer: CALL,
    fetch: CALL,
    abort: CALL,
    socket: CALL,
    onWake: CALL,
    tabs: [
      (value) => has(value, 'lock', 'channel', 'isVisible'),
      'an object with lock, channel and isVisible',
    ],
  },
};

const isList = (value: unknown): value is readonly unknown[] =>
  Array.isArray(value) && value.length > 0 && value.every(isText) && new Set(value).size === value.length;

const COLLECTION: Rules = {
  schema: [
    (value) => {
      const standard: unknown = value && (value as Record<string, unknown>)['~standard'];
      return has(standard, 'validate') && (standard as { version?: unknown }).version === 1;
    },
    'a schema of Zod 4, Valibot, ArkType or another one of https://standardschema.dev',
  ],
  fields: [isList, 'a list of names of fields, each once'],
  ids: [(value) => value === 'uuid' || value === 'objectid', "'uuid' or 'objectid'"],
  coalesce: FLAG,
  indexes: [
    (value) => Array.isArray(value) && value.every((each) => isText(each) || isList(each)),
    "a list of fields, or of lists of fields: ['done', ['listId', 'createdAt']]",
  ],
  version: COUNT,
  migrate: [
    (value) => isObject(value) && Object.values(value).every(isCall),
    'an object with a function for each version',
  ],
  types: CALL,
};

/**
 * Looks over the options of `createSyncClient` before anything is read from them. A name that nobody knows is refused: with a typo its
 * default would stand.
 *
 * @throws ConfigurationError
 */
export function checkOptions(options: unknown): void {
  const given = checked('', options, OPTIONS);
  for (const [name, rules] of Object.entries(PARTS))
    if (given[name] !== undefined) checked(`${name}.`, given[name], rules);
  const { baseMs = 1, maxMs = 60_000 } = (given['backoff'] ?? {}) as Readonly<Record<string, number>>;
  if (baseMs > maxMs) throw wrong('backoff.baseMs', 'at most maxMs', baseMs);
  for (const [name, definition] of Object.entries(given['collections'] as object)) {
    const path = `collections.${name}`;
    if (name === '' || name.includes(','))
      throw new ConfigurationError(
        path,
        `${WHERE}A collection is called as on the server: not empty, no comma.`,
      );
    const { version = 1, migrate = {} } = checked(`${path}.`, definition, COLLECTION);
    for (const to of Object.keys(migrate as object))
      if (!/^[1-9]\d*$/.test(to) || Number(to) < 2 || Number(to) > (version as number))
        throw new ConfigurationError(
          `${path}.migrate`,
          `${WHERE}${path}.migrate leads to ${to}, and version is ${String(version)}: its steps are named 2 to version.`,
        );
  }
}

function checked(around: string, given: unknown, rules: Rules): Readonly<Record<string, unknown>> {
  if (!isObject(given)) throw wrong(around.slice(0, -1) || 'Its argument', 'an object', given);
  for (const [name, value] of Object.entries(given))
    if (value !== undefined && !Object.hasOwn(rules, name))
      throw new ConfigurationError(
        around + name,
        `${WHERE}There is no option ${around}${name}.${suggestion(name, Object.keys(rules))}`,
      );
  for (const [name, [fits, words, isNeeded]] of Object.entries(rules)) {
    const value = given[name];
    if (value === undefined ? isNeeded : !fits(value)) throw wrong(around + name, words, value);
  }
  return given;
}

const WHERE = 'createSyncClient: ';

function wrong(path: string, words: string, value: unknown): ConfigurationError {
  return new ConfigurationError(path, `${WHERE}${path} has to be ${words}. It is ${kindOf(value)}.`);
}

/** Never what it says: it may be a token. */
function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === '') return 'empty';
  return Array.isArray(value) ? 'a list' : isText(value) ? 'another text' : `of type ${typeof value}`;
}

function suggestion(name: string, known: readonly string[]): string {
  const [[near, far] = ['', Infinity]] = known
    .map((each) => [each, distance(each.toLowerCase(), name.toLowerCase().replace(/[_-]/g, ''))] as const)
    .sort(([, a], [, b]) => a - b);
  return far <= name.length / 2 ? ` Did you mean ${near}?` : ` There are: ${known.join(', ')}.`;
}

/** How many letters differ (Levenshtein). */
function distance(a: string, b: string): number {
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let at = 1; at <= b.length; at++)
      next.push(
        Math.min(
          (last[at] as number) + 1,
          (next[at - 1] as number) + 1,
          (last[at - 1] as number) + (a[row - 1] === b[at - 1] ? 0 : 1),
        ),
      );
    last = next;
  }
  return last[b.length] as number;
}
