import { setMaxListeners } from 'node:events';
import type { History } from '../history';
import { writeThroughTheApp } from './app-writer';
import { learnFeatures } from './server-info';
import { preflight } from './preflight';
import { readEverything, sendAgain } from './final-reading';
import { Journal } from './journal';
import type { Phase, Progress, WorkloadOptions } from './options';
import { settingsOf, WorkloadError, type Settings } from './settings';
import { Party } from './party';
import { pause } from './pause';
import { probe } from './probes';
import type { Reader } from './reader';
import { compareRefusals } from './socket-parity';
import { fewReaders, readersOf } from './readers';
import { changeMemberships, changingScopes, otherScopes } from './scopes';
import { ScopesReader } from './scopes-reader';
import { trespass } from './trespasser';
import { Writer } from './writer';

/** A run that is under way: faults can be injected in between. */
export interface Workload {
  progress(): Progress;
  /** Settles when writers write; rejects as `done` does when it never comes to that. */
  readonly writing: Promise<void>;
  /** Ends the writing now; settling and the last readings follow. */
  stop(): Promise<History>;
  readonly done: Promise<History>;
}

/**
 * Writes, reads and listens for `seconds`, then reads everything again.
 *
 * `done` rejects with a WorkloadError when the deployment cannot be reached or takes nothing.
 *
 * @throws WorkloadError for options that no run can be made of
 */
export function startWorkload(options: WorkloadOptions): Workload {
  return new Run(settingsOf(options));
}

/** @see startWorkload */
export async function runWorkload(options: WorkloadOptions): Promise<History> {
  return startWorkload(options).done;
}

class Run implements Workload {
  readonly writing: Promise<void>;
  readonly done: Promise<History>;
  private phase: Phase = 'starting';
  private writingSince = 0;
  private readonly journal: Journal;
  /** Aborted: no more writing. */
  private readonly end = new AbortController();
  /** Aborted: readers stop where they are. */
  private readonly over = new AbortController();
  private readonly main: Party;
  private readonly other: Party | undefined;
  /** Scopes that the main tenant has besides its own. */
  private extra: readonly Party[] = [];
  /** Both tenants in scopes that the main one loses and gets again. */
  private changing: readonly Party[] = [];

  constructor(private readonly settings: Settings) {
    const { token, otherToken, signal } = settings;
    // A listener a device.
    setMaxListeners(0, this.end.signal, this.over.signal);
    this.journal = new Journal(settings);
    this.main = new Party('main', token, settings, this.journal);
    if (otherToken !== undefined) this.other = new Party('other', otherToken, settings, this.journal);
    const stop = (): void => this.end.abort();
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    let begun: () => void = () => undefined;
    this.writing = new Promise((resolve, reject) => {
      begun = resolve;
      this.end.signal.addEventListener('abort', () => reject(new WorkloadError('It ended before it began.')));
    });
    this.done = this.run(() => begun()).finally(() => signal?.removeEventListener('abort', stop));
    this.writing.catch(() => undefined);
  }

  progress(): Progress {
    const { pushes, changes, unanswered, seen, subscriptions } = this.journal.count;
    const elapsedMs = this.phase === 'starting' ? 0 : this.journal.now() - this.writingSince;
    return { phase: this.phase, elapsedMs, pushes, changes, unanswered, seen, subscriptions };
  }

  stop(): Promise<History> {
    this.end.abort();
    return this.done;
  }

  private async run(begun: () => void): Promise<History> {
    const { settings, main, other, journal } = this;
    const report = setInterval(() => settings.onProgress?.(this.progress()), 250);
    try {
      for (const party of this.parties()) await learnFeatures(party);
      journal.features = main.features;
      this.extra = await otherScopes(main);
      this.changing = await changingScopes(this.parties());
      for (const party of this.logs()) if (party.scope?.access !== 'read') await preflight(party);
      await probe(main, true);
      if (main.features.has('socket_push')) await compareRefusals(main);
      this.enter('writing');
      begun();
      const readers = this.readers();
      const following = readers.map((reader) => reader.follow(this.end.signal, this.over.signal));
      const writers = await this.write();
      this.enter('settling');
      await Promise.all(writers.map(sendAgain));
      await this.settle(readers);
      this.over.abort();
      await Promise.all(following);
      this.enter('reading');
      for (const party of this.logs()) await readEverything(party);
      await probe(main, false);
      this.enter('done');
      return journal.history();
    } finally {
      clearInterval(report);
      this.end.abort();
      this.over.abort();
      for (const party of [main, ...(other ? [other] : []), ...this.extra, ...this.changing]) party.close();
    }
  }

  /** One party in each log. */
  private logs(): Party[] {
    return [...this.parties(), ...this.extra, ...this.changing.filter(({ tenant }) => tenant === 'main')];
  }

  private readers(): Reader[] {
    const { main, other, extra, changing } = this;
    const named = [...extra, ...changing.filter(({ tenant }) => tenant === 'main')];
    return [
      ...readersOf(main),
      ...(other ? fewReaders(other) : []),
      ...[...extra, ...changing].flatMap(fewReaders),
      ...(named.length > 0 ? [new ScopesReader(main, named)] : []),
    ];
  }

  private parties(): Party[] {
    return this.other ? [this.main, this.other] : [this.main];
  }

  private async write(): Promise<Writer[]> {
    const { settings, main, other } = this;
    const end = this.end.signal;
    const writers = Array.from({ length: settings.writers }, (_, index) => new Writer(main, index));
    // The other one at a smaller rate.
    if (other)
      for (let index = 0; index < Math.ceil(settings.writers / 6); index++)
        writers.push(new Writer(other, index));
    for (const party of [...this.extra, ...this.changing])
      if (party.scope?.access === 'write' && party.collections.length > 0) writers.push(new Writer(party, 0));
    const writing = writers.map((writer) => writer.write(end));
    const work: Promise<void>[] = [...writing];
    if (settings.appWrite) work.push(writeThroughTheApp(main, settings.appWrite, end));
    if (other) work.push(trespass(main, other, end));
    work.push(
      changeMemberships(
        this.changing.filter(({ tenant }) => tenant === 'main'),
        end,
      ),
    );
    await Promise.race([pause(settings.seconds * 1000, end), Promise.all(writing)]);
    this.end.abort();
    await Promise.all(work);
    return writers;
  }

  /** Until each reader has reached the newest acknowledged version, or the time for it is over. */
  private async settle(readers: readonly Reader[]): Promise<void> {
    const limit = this.journal.now() + this.settings.settleMs;
    while (this.journal.now() < limit && !readers.every((reader) => reader.reached())) await pause(20);
  }

  private enter(phase: Phase): void {
    this.phase = phase;
    if (phase === 'writing') this.writingSince = this.journal.now();
    this.settings.onProgress?.(this.progress());
  }
}
