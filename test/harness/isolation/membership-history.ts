import type { AccessLevel, ScopesPort, SyncIdentity } from 'nest-offline-sync';

/** A point of the history: events are numbered as they happen. */
export type Moment = number;

const RANK = { none: 0, read: 1, write: 2 } as const;

/**
 * Who could do what in which scope, at every moment of a run: the app's table of members, which never forgets. By it can be
 * judged whether an answer holds anything that could not be had between its request and itself (invariant 5).
 */
export class MembershipHistory implements ScopesPort {
  private readonly changes = new Map<string, { readonly at: Moment; readonly level: AccessLevel }[]>();
  private last: Moment = 0;

  /** Counts one more event. */
  now(): Moment {
    return ++this.last;
  }

  set(actor: string, scope: string, level: AccessLevel): void {
    const known = this.of(actor, scope);
    known.push({ at: this.now(), level });
  }

  list({ actorId }: SyncIdentity): string[] {
    return [...this.changes.keys()]
      .map((key) => JSON.parse(key) as [string, string])
      .filter(([actor]) => actor === actorId)
      .map(([, scope]) => scope);
  }

  access({ actorId }: SyncIdentity, scope: string): AccessLevel {
    return this.levelAt(actorId, scope, this.last);
  }

  levelAt(actor: string, scope: string, at: Moment): AccessLevel {
    return this.of(actor, scope).findLast((change) => change.at <= at)?.level ?? 'none';
  }

  /** Whether the level was at least this one at any moment of the two or between them. */
  couldEver(actor: string, scope: string, needed: 'read' | 'write', from: Moment, to: Moment): boolean {
    return this.levels(actor, scope, from, to).some((level) => RANK[level] >= RANK[needed]);
  }

  /** Whether it was below at any of these moments. */
  couldEverNot(actor: string, scope: string, needed: 'read' | 'write', from: Moment, to: Moment): boolean {
    return this.levels(actor, scope, from, to).some((level) => RANK[level] < RANK[needed]);
  }

  private levels(actor: string, scope: string, from: Moment, to: Moment): AccessLevel[] {
    const between = this.of(actor, scope).filter(({ at }) => at > from && at <= to);
    return [this.levelAt(actor, scope, from), ...between.map(({ level }) => level)];
  }

  private of(actor: string, scope: string): { readonly at: Moment; readonly level: AccessLevel }[] {
    const key = JSON.stringify([actor, scope]);
    const known = this.changes.get(key) ?? [];
    this.changes.set(key, known);
    return known;
  }
}
