import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isObject } from 'nest-offline-sync-protocol';

/** One request over HTTP and its answer. */
export interface HttpStep {
  /** `POST /sync/push`: the method, and the path without its query. */
  readonly send: string;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: unknown;
  /** In place of `body`: the bytes of a body that is no JSON. */
  readonly text?: string;
  status?: number;
  /** Those that belong to the wire: `x-sync-…` and `retry-after`. */
  headers?: Record<string, string>;
  answer?: unknown;
  /** In place of `answer`, where it is NDJSON. */
  lines?: unknown[];
}

/** One move on the scenario's socket. `hear` waits for the next message, `closed` for the close code. */
export type SocketStep =
  { readonly socket: string } | { say: unknown } | { hear: unknown } | { closed: number | null };

export interface Scenario {
  readonly about: string;
  readonly steps: (HttpStep | SocketStep)[];
}

export const WIRE_FOLDER = join(__dirname, '../fixtures/wire');
const SCENARIOS = join(WIRE_FOLDER, 'scenarios');

/** All scenarios by file. */
export function scenarios(): { readonly name: string; readonly path: string; readonly scenario: Scenario }[] {
  return readdirSync(SCENARIOS)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => {
      const path = join(SCENARIOS, file);
      return {
        name: file.replace(/\.json$/, ''),
        path,
        scenario: JSON.parse(readFileSync(path, 'utf8')) as Scenario,
      };
    });
}

const VERSION = /\b(?!1970)\d{8}T\d{6}\.\d{3}Z-\d{4}-[A-Za-z0-9._-]{1,64}/g;
const UUID = /\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g;

/**
 * The names that stand for what differs from run to run: `{v1}`, `{v2}` … for versions in the order in which they were
 * seen, `{c1}` … for page cursors, `{time}` for the server's time, `{package}` for its version. The same value has the
 * same name everywhere in a scenario.
 */
export class Names {
  private readonly values = new Map<string, string>();
  private readonly literals: string;

  /** @param scenario what its requests say themselves stays as it is */
  constructor({ steps }: Scenario) {
    this.literals = JSON.stringify(
      steps.map((step) =>
        'send' in step ? [step.query, step.body, step.text] : 'say' in step ? step.say : null,
      ),
    );
  }

  /** A request's value with the real values in the place of their names. */
  fill<T>(value: T): T {
    if (value === undefined) return value;
    const text = JSON.stringify(value).replace(/\{([vci]\d+)\}/g, (name) => {
      const real = [...this.values].find(([, known]) => known === name)?.[0];
      if (real === undefined) throw new Error(`No answer before this step has ${name}`);
      return real;
    });
    return JSON.parse(text) as T;
  }

  /** An answer's value with names. */
  name(value: unknown, key = ''): unknown {
    if (typeof value === 'string') return this.nameText(value, key);
    if (Array.isArray(value)) return value.map((item) => this.name(item, key));
    if (!isObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([field, item]) => [field, this.name(item, field)]));
  }

  private nameText(text: string, key: string): string {
    if (key === 'server_time' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text)) return '{time}';
    if (key === 'package' && /^\d+\.\d+\.\d+/.test(text)) return '{package}';
    if (key === 'x-sync-identity' || key === 'identity' || key === 'expected_identity')
      return this.nameOf(text, 'i');
    if (key === 'cursor' || key === 'x-sync-cursor') return this.nameOf(text, 'c');
    return text
      .replace(VERSION, (version) => (this.literals.includes(version) ? version : this.nameOf(version, 'v')))
      .replace(UUID, '{uuid}');
  }

  private nameOf(value: string, letter: string): string {
    const known = this.values.get(value);
    if (known !== undefined) return known;
    const count = [...this.values.values()].filter((name) => name.startsWith(`{${letter}`)).length;
    const name = `{${letter}${String(count + 1)}}`;
    this.values.set(value, name);
    return name;
  }
}
