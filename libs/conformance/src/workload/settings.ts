import { randomBytes } from 'node:crypto';
import type { WorkloadOptions } from './options';

/** The run cannot begin, or would prove nothing. The message says what to do. */
export class WorkloadError extends Error {
  override readonly name = 'WorkloadError';
}

type MayBeMissing = 'otherToken' | 'appWrite' | 'membership' | 'onProgress' | 'signal' | 'command';

/** {@link WorkloadOptions}, complete. */
export type Settings = Required<Omit<WorkloadOptions, MayBeMissing>> & Pick<WorkloadOptions, MayBeMissing>;

/** @throws WorkloadError for options that no run can be made of */
export function settingsOf(options: WorkloadOptions): Settings {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const { urls, collections, appWrite, prefix = 'sync' } = options;
  if (urls.length === 0) throw new WorkloadError('Give at least one URL of a server.');
  if (collections.length === 0) throw new WorkloadError('Give at least one collection to write to.');
  for (const { name, template } of collections)
    if (!JSON.stringify(template).includes('{marker}'))
      throw new WorkloadError(`The data for ${name} needs a string with {marker} in it.`);
  if (appWrite && !JSON.stringify(appWrite.body).includes('{marker}'))
    throw new WorkloadError("The body of the app's write needs a string with {marker} in it.");
  if (options.membership && options.otherToken === undefined)
    throw new WorkloadError(
      'Scopes that are lost need the token of another tenant, who goes on writing to them.',
    );
  return {
    run: randomBytes(6).toString('hex'),
    prefix,
    streamPath: `${prefix}/stream`,
    writers: 6,
    pullers: 3,
    listeners: 2,
    briefListeners: 6,
    stalledSockets: 1,
    maxBatch: 50,
    writerPauseMs: 5,
    flaws: true,
    maxDocumentBytes: 1024 * 1024,
    maxPushBytes: 8 * 1024 * 1024,
    maxChanges: 400_000,
    maxPushes: Infinity,
    answerLimitMs: 20_000,
    silenceLimitMs: 65_000,
    settleMs: 20_000,
    maxUnansweredRetries: 20,
    disturbed: false,
    ...(given as unknown as WorkloadOptions),
    urls: urls.map(baseOf),
  };
}

function baseOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  // Not shown: it may be a token in the wrong place.
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    throw new WorkloadError('What was given as URL is not one: it looks like https://api.example.com');
  return `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, '');
}
