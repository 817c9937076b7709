import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { isScopeId, SyncError, type ScopeEntry, type ScopesAnswer } from 'nest-offline-sync-protocol';
import { inWords } from '../collections/answers';
import { PortAnswers } from '../collections/port-answers';
import { PortResolver } from '../collections/port-resolver';
import { isRefusal } from '../collections/ports';
import { isDatabaseError } from '../database/errors';
import { Turns, within } from '../database/waiting';
import type { SyncSettings } from '../options/settings';
import type { SyncOptions } from '../options/sync.options';
import { SYNC_OPTIONS, SYNC_SETTINGS } from '../options/tokens';
import { outOfReach } from './host.guard';
import type { SyncIdentity } from './identity';
import { ACCESS_LEVELS, type AccessLevel, type ScopesPort } from './scopes';

/** Questions to the app that one list of scopes asks at the same time. */
const ASKED_AT_ONCE = 16;

/**
 * Into which scopes an identity gets: its own, and what the app's option `scopes` says at this moment (invariant 5). No
 * answer is kept: HTTP asks with each request.
 */
@Injectable()
export class ScopeAccess implements OnApplicationBootstrap {
  private readonly answers: PortAnswers;
  private resolving: Promise<ScopesPort | undefined> | undefined;

  constructor(
    private readonly ports: PortResolver,
    @Inject(SYNC_OPTIONS) private readonly options: Pick<SyncOptions, 'scopes'>,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {
    this.answers = new PortAnswers(settings.retryDeadlineMs);
  }

  /** @throws SyncError `configuration` for an option that cannot be asked */
  async onApplicationBootstrap(): Promise<void> {
    await this.port();
  }

  /**
   * The identity as it works in a scope: everything after this is bound to its `scopeId`.
   *
   * @param scope as the client named it; undefined: the identity as it is
   * @throws SyncError `scope_forbidden`, the same for a scope that does not exist; `unavailable` when the app does not
   *   answer in time, and what it fails with
   */
  async enter(
    identity: SyncIdentity,
    scope: string | undefined,
    needed: 'read' | 'write',
  ): Promise<SyncIdentity> {
    if (scope === undefined || scope === identity.scopeId) return identity;
    const own = ownIdentity(identity);
    if (scope === own.scopeId) return own;
    const level = await this.level(own, scope);
    if (level === 'none')
      throw new SyncError(
        'scope_forbidden',
        'This scope may not be used with these credentials, or it does not exist. GET scopes lists those that may be used.',
        { path: 'scope' },
      );
    if (needed === 'write' && level === 'read')
      throw new SyncError(
        'scope_forbidden',
        'This scope may only be read with these credentials: nothing can be pushed into it.',
        { path: 'scope' },
      );
    return { ...own, scopeId: scope, ownScopeId: own.scopeId };
  }

  /**
   * For an answer that takes long: call it now and then, and it asks again after each `scopeCheckIntervalMs`. Undefined for an
   * identity in its own scope.
   *
   * @throws (from the call) as {@link enter}
   */
  stillIn(identity: SyncIdentity): (() => Promise<void>) | undefined {
    if (identity.ownScopeId === undefined) return undefined;
    let askedAt = performance.now();
    return async () => {
      if (performance.now() - askedAt < this.settings.scopeCheckIntervalMs) return;
      askedAt = performance.now();
      await this.enter(ownIdentity(identity), identity.scopeId, 'read');
    };
  }

  /**
   * The scopes that the identity may use now: what the app lists, as far as it also gives access to it.
   *
   * @throws SyncError `unavailable` when the app does not answer in time, and what it fails with: a scope is never left
   *   out because of a failure
   */
  async list(identity: SyncIdentity): Promise<ScopesAnswer> {
    const own = ownIdentity(identity);
    const port = await this.port();
    const first: ScopeEntry = {
      scope: own.scopeId,
      access: 'write',
      own: true,
      ...this.kindOf(port, own.scopeId),
    };
    if (!port) return { scopes: [first] };
    const turns = new Turns(ASKED_AT_ONCE);
    const others = await within(
      this.settings.retryDeadlineMs,
      async (signal) => {
        const listed = this.usable(
          await this.answers.valueOf('option scopes: list', port.list(own)),
          own.scopeId,
        );
        return Promise.all(
          listed.map(async (scope) => {
            const access = await turns.run(async () => (signal.aborted ? 'none' : this.level(own, scope)));
            return access === 'none' ? [] : [{ scope, access, own: false, ...this.kindOf(port, scope) }];
          }),
        );
      },
      (): never => {
        throw new SyncError('unavailable', 'The scopes could not be found out in time. Try again later.');
      },
    );
    return { scopes: [first, ...others.flat()] };
  }

  /** Says of which kind a scope is, for collections that live in some kinds only; undefined where the app does not say it. */
  async kinds(): Promise<((scopeId: string) => string | undefined) | undefined> {
    const port = await this.port();
    return port?.kind && ((scopeId) => this.kindOf(port, scopeId).kind);
  }

  private kindOf(port: ScopesPort | undefined, scope: string): { readonly kind?: string } {
    if (!port?.kind) return {};
    const kind: unknown = port.kind(scope);
    if (typeof kind === 'string' && kind !== '') return { kind };
    this.answers.complain(
      'option scopes: kind',
      `answered ${inWords(kind)} where a text was expected: no collection with the option scopes lives there. Return a string, at once`,
    );
    return {};
  }

  /** What the app says about a scope that is not the identity's own. */
  private async level(own: SyncIdentity, scope: string): Promise<AccessLevel> {
    const port = await this.port();
    if (!port) return 'none';
    const name = 'option scopes: access';
    try {
      const value = await this.answers.valueOf(name, port.access(own, scope));
      if (isLevel(value)) return value;
      this.answers.complain(
        name,
        `answered ${inWords(value)} where only 'none', 'read' and 'write' count: access is denied. Return one of them, or a promise or an Observable of it`,
      );
      return 'none';
    } catch (error) {
      if (isRefusal(error)) return 'none';
      throw isDatabaseError(error) ? outOfReach(error) : error;
    }
  }

  /** The listed scopes that there can be, each once, without the own one. */
  private usable(listed: unknown, own: string): string[] {
    const name = 'option scopes: list';
    const { maxScopes } = this.settings.limits;
    if (!Array.isArray(listed)) {
      this.answers.complain(
        name,
        `answered ${inWords(listed)} where an array of scope ids was expected: only the own scope is listed. Return an array of strings, or a promise or an Observable of it`,
      );
      return [];
    }
    const scopes = new Set<string>();
    for (const scope of listed as readonly unknown[]) {
      if (typeof scope !== 'string' || !isScopeId(scope))
        this.answers.complain(
          name,
          `holds ${inWords(scope)} that is no id of a scope: it is left out. Give strings of 1 to 256 bytes without NUL`,
        );
      else if (scope !== own) scopes.add(scope);
      if (scopes.size <= maxScopes) continue;
      scopes.delete(scope as string);
      this.answers.complain(
        `${name}: limits.maxScopes`,
        `is ${maxScopes}, and the list was longer: the rest is left out. List fewer, or set limits.maxScopes`,
      );
      break;
    }
    return [...scopes];
  }

  private port(): Promise<ScopesPort | undefined> {
    return (this.resolving ??= this.resolve());
  }

  private async resolve(): Promise<ScopesPort | undefined> {
    const { scopes } = this.options;
    return scopes && this.ports.resolveObject<ScopesPort>(scopes, ['list', 'access'], 'option scopes');
  }
}

/** The identity in its own scope. */
export function ownIdentity(identity: SyncIdentity): SyncIdentity {
  const { ownScopeId, ...rest } = identity;
  return ownScopeId === undefined ? identity : { ...rest, scopeId: ownScopeId };
}

function isLevel(value: unknown): value is AccessLevel {
  return (ACCESS_LEVELS as readonly unknown[]).includes(value);
}
