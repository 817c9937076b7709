import { Injectable } from '@nestjs/common';
import { isScopeId, parseHlc, SyncError, type PushResponse } from 'nest-offline-sync-protocol';
import { SyncAdminService } from '../admin/admin.service';
import { readScopes, type ScopeStatus } from '../admin/scope-status';
import { CollectionRegistry } from '../collections/collection-registry';
import { OplogRepository } from '../log/oplog';
import type { VerifyProgress } from '../verify/report';
import type { SyncAdminSettings } from '../options/admin-options';
import { Register } from '../register/register';
import type {
  AdminDevice,
  AdminPage,
  AdminRefused,
  AdminScope,
  AdminStatus,
  AdminVerification,
} from './answers';
import { Devices } from './devices';
import { RefusedChanges } from './refused-changes';
import { cursorText, parsePageQuery, parseVerifyBody, scopeOfCursor } from './page-query';
import { SystemStatus } from './system-status';

/** What an operator sees and does, whatever door it comes through. What it is given is not trusted. */
@Injectable()
export class OperatorService {
  private verifying = false;

  constructor(
    private readonly oplog: OplogRepository,
    private readonly collections: CollectionRegistry,
    private readonly admin: SyncAdminService,
    private readonly system: SystemStatus,
    private readonly seen: Devices,
    private readonly refusals: RefusedChanges,
    private readonly register: Register,
  ) {}

  /** SyncAdminModule is there: from now on devices and refusals are noted. Before the app has started. */
  open(settings: SyncAdminSettings): void {
    this.register.turnOn(settings);
  }

  /** @throws SyncError `invalid_limit`, `invalid_cursor`, `malformed_request` */
  async scopes(query: unknown): Promise<AdminPage<AdminScope>> {
    const { limit, after, scope } = parsePageQuery(query);
    const found = await readScopes(this.oplog, { scope, after: scopeOfCursor(after), limit: limit + 1 });
    const rows = found.slice(0, limit).map(rowOf);
    const last = rows.at(-1);
    return { rows, next: found.length > limit && last ? cursorText([last.scope]) : null };
  }

  /** @throws SyncError `malformed_request`, `not_found` */
  async scope(id: string): Promise<AdminScope> {
    if (!isScopeId(id))
      throw new SyncError('malformed_request', 'scope must be the id of a scope.', { path: 'scope' });
    const [found] = await readScopes(this.oplog, { scope: id, limit: 1 });
    if (found) return rowOf(found);
    throw new SyncError(
      'not_found',
      'Nothing was ever written in this scope. GET scopes lists those that are.',
      {
        path: 'scope',
      },
    );
  }

  /** @throws SyncError `invalid_limit`, `invalid_cursor`, `malformed_request` */
  devices(query: unknown): Promise<AdminPage<AdminDevice>> {
    return this.seen.list(query);
  }

  /** @throws SyncError `invalid_limit`, `invalid_cursor`, `malformed_request` */
  refused(query: unknown): Promise<AdminPage<AdminRefused>> {
    return this.refusals.list(query);
  }

  /** @throws SyncError as RefusedChanges.applyAgain */
  applyAgain(id: string, settings: Pick<SyncAdminSettings, 'applyAs'>): Promise<PushResponse> {
    return this.refusals.applyAgain(id, settings);
  }

  status(): Promise<AdminStatus> {
    return this.system.read();
  }

  /**
   * Compares documents and log, and writes nothing. One run at a time in this process.
   *
   * @param limitMs after it the run ends, and its answer says how far it came
   * @throws SyncError `malformed_request`, `invalid_limit`, `unknown_collection`, `busy`
   */
  async verify(body: unknown, limitMs: number): Promise<AdminVerification> {
    const { collections, scope, limit } = parseVerifyBody(body, this.collections.names());
    if (this.verifying)
      throw new SyncError('busy', 'Another run of verify is under way here. Wait for its answer.', {
        retryAfterSeconds: Math.ceil(limitMs / 1000),
      });
    this.verifying = true;
    const signal = AbortSignal.timeout(limitMs);
    let progress: VerifyProgress = { scopes: 0, documents: 0, differences: 0 };
    try {
      const report = await this.admin.verify({
        ...(collections ? { collections } : {}),
        ...(scope === undefined ? {} : { scope }),
        limit,
        signal,
        onProgress: (now) => (progress = now),
      });
      return { finished: true, report };
    } catch (error) {
      if (signal.aborted && error instanceof SyncError && error.code === 'shutting_down')
        return { finished: false, progress };
      throw error;
    } finally {
      this.verifying = false;
    }
  }
}

function rowOf({ scope, head, seq, floor, floorSeq, entries, waiting }: ScopeStatus): AdminScope {
  const ms = parseHlc(head)?.ms;
  const changed_at = ms === undefined || seq === 0 ? null : new Date(ms).toISOString();
  return { scope, head, seq, floor, floor_seq: floorSeq, entries, waiting, changed_at };
}
