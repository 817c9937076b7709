import { dataPath, type Rejection } from 'nest-offline-sync-protocol';

/** The part of Mongoose's ValidatorError and CastError that a message is built from. */
export interface PathError {
  readonly name: string;
  readonly kind?: string;
  readonly message: string;
  readonly reason?: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
}

const SHOWN_PROBLEMS = 5;
const LONGEST_TEXT = 200;
const LONGEST_LIST = 10;

/**
 * Why a model refused a document: each path and the reason, never the value. Mongoose's own messages hold the value,
 * so the text is built from the kind of the error.
 *
 * @param errors by path, as ValidationError has them
 * @param ownText the schema author's message for an error, when it is a fixed text; see {@link isOwnText}
 */
export function validationRejection(
  errors: Readonly<Record<string, PathError>>,
  ownText: (path: string, error: PathError) => string | undefined,
): Rejection {
  // A subdocument's error is listed next to those of its fields, and says less.
  const paths = Object.keys(errors).filter(
    (path, _, all) => !all.some((other) => other.startsWith(`${path}.`)),
  );
  const problems = paths.map((path) => {
    const error = errors[path];
    if (!error) return '';
    return `${dataPath(steps(path))}: ${ownText(path, error) ?? reasonOf(error)}`;
  });
  return { code: 'validation_failed', message: problemList(problems) };
}

/** The first problems, and how many more there are. */
export function problemList(problems: readonly string[]): string {
  const shown = problems.slice(0, SHOWN_PROBLEMS).map((text) => cut(text));
  const more = problems.length - shown.length;
  return `${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}.`;
}

/**
 * Whether a validator's message template is the schema author's own fixed text that holds no value: safe to show.
 *
 * @param defaults Mongoose's own templates
 */
export function isOwnText(template: unknown, defaults: ReadonlySet<string>): boolean {
  return typeof template === 'string' && !template.includes('{VALUE}') && !defaults.has(template);
}

function reasonOf(error: PathError): string {
  const limit = (name: string) => text(error.properties?.[name]);
  switch (error.kind) {
    case 'required':
      return 'is required';
    case 'enum':
      return `must be one of: ${list(error.properties?.enumValues)}`;
    case 'min':
      return `must not be below ${limit('min')}`;
    case 'max':
      return `must not be above ${limit('max')}`;
    case 'minlength':
      return `must have at least ${limit('minlength')} characters`;
    case 'maxlength':
      return `must have at most ${limit('maxlength')} characters`;
    case 'regexp':
      return 'does not have the format that is asked for';
    default:
      return error.name === 'CastError' ? `cannot be taken as ${error.kind ?? 'its type'}` : 'is not valid';
  }
}

function steps(path: string): (string | number)[] {
  return path.split('.').map((step) => (/^\d{1,9}$/.test(step) ? Number(step) : step));
}

function list(values: unknown): string {
  if (!Array.isArray(values)) return 'the allowed values';
  const shown = values.slice(0, LONGEST_LIST).map(text);
  return shown.join(', ') + (values.length > LONGEST_LIST ? ', …' : '');
}

function text(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value);
}

function cut(message: string): string {
  return message.length > LONGEST_TEXT ? `${message.slice(0, LONGEST_TEXT)}…` : message;
}
