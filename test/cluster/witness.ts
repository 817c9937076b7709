import type { Change } from './client';

interface Sight {
  readonly versions: string[];
  lastSeq: number;
  readonly problems: string[];
}

/** What was acknowledged to writers, and what each reader saw of it. */
export class Witness {
  private readonly acknowledged = new Map<string, Set<string>>();
  private readonly acknowledgedAt = new Map<string, number>();
  private readonly sights = new Map<string, Sight>();
  private readonly lags: number[] = [];

  accepted(scope: string, version: string, at: number): void {
    let versions = this.acknowledged.get(scope);
    if (!versions) this.acknowledged.set(scope, (versions = new Set()));
    versions.add(version);
    this.acknowledgedAt.set(version, at);
  }

  saw(reader: string, _scope: string, change: Change, at: number): void {
    let sight = this.sights.get(reader);
    if (!sight) this.sights.set(reader, (sight = { versions: [], lastSeq: 0, problems: [] }));
    const last = sight.versions.at(-1);
    if (last !== undefined && change.version <= last)
      sight.problems.push(`${reader}: ${change.version} after ${last}`);
    if (change.seq !== sight.lastSeq + 1)
      sight.problems.push(`${reader}: seq ${String(change.seq)} after ${String(sight.lastSeq)}`);
    sight.versions.push(change.version);
    sight.lastSeq = change.seq;
    const acknowledged = this.acknowledgedAt.get(change.version);
    if (reader.startsWith('stream') && acknowledged !== undefined) this.lags.push(at - acknowledged);
  }

  /** Waits until each reader has seen as much as was acknowledged, or the time is up. */
  async settled(
    readers: number,
    _scopes: number,
    scopeOf: (index: number) => string,
    limitMs: number,
  ): Promise<void> {
    const until = performance.now() + limitMs;
    while (performance.now() < until && this.missing(readers, scopeOf).length > 0)
      await new Promise((resolve) => setTimeout(resolve, 50));
  }

  problems(readers: number, scopeOf: (index: number) => string): string[] {
    return [
      ...this.missing(readers, scopeOf),
      ...[...this.sights.values()].flatMap((sight) => sight.problems),
    ];
  }

  lag(share: number): string {
    this.lags.sort((a, b) => a - b);
    return (this.lags[Math.floor(this.lags.length * share)] ?? 0).toFixed(1);
  }

  private missing(readers: number, scopeOf: (index: number) => string): string[] {
    const missing: string[] = [];
    for (let index = 0; index < readers; index++) {
      const acknowledged = this.acknowledged.get(scopeOf(index)) ?? new Set();
      for (const kind of ['stream', 'pull']) {
        const name = `${kind} ${String(index)}`;
        const seen = new Set(this.sights.get(name)?.versions);
        const holes = [...acknowledged].filter((version) => !seen.has(version)).length;
        if (holes > 0)
          missing.push(
            `${name}: ${String(holes)} of ${String(acknowledged.size)} acknowledged versions not seen`,
          );
      }
    }
    return missing;
  }
}
