import { Inject, Injectable } from '@nestjs/common';
import { WIRE_VERSION } from 'nest-offline-sync-protocol';
import { readSizes } from '../admin/scope-status';
import { CaptureService, CAPTURE_LEASE } from '../capture/capture.service';
import { isoTime } from '../clock/bounded-wall';
import { WallClock } from '../clock/wall-clock';
import type { LeaseRecord } from '../cluster/lease';
import { databaseLayout, missingFromLayout } from '../database/layout';
import { within } from '../database/waiting';
import { SyncHealthIndicator } from '../health/sync-health';
import { packageVersion } from '../info/package-version';
import { OplogRepository } from '../log/oplog';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import { Register } from '../register/register';
import { TRIM_LEASE, TrimmingService } from '../retention/trimming';
import { ChangeStreamHub } from '../stream/change-stream-hub';
import type { AdminLease, AdminStatus } from './answers';

const LIMIT_MS = 15_000;

/** Puts together what the parts of the engine say of themselves. */
@Injectable()
export class SystemStatus {
  private readonly version = packageVersion();

  constructor(
    private readonly oplog: OplogRepository,
    private readonly health: SyncHealthIndicator,
    private readonly hub: ChangeStreamHub,
    private readonly trimming: TrimmingService,
    private readonly capture: CaptureService,
    private readonly clock: WallClock,
    private readonly register: Register,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {}

  /** @throws an error of the database: it says that there is none, with 503 */
  async read(): Promise<AdminStatus> {
    const health = await this.health.check();
    const leases = await this.leases();
    const { settings, hub, oplog } = this;
    const layout = databaseLayout(settings, []);
    const [missing, collections, scopes] = await within(LIMIT_MS, () =>
      Promise.all([
        missingFromLayout(oplog.db, layout),
        readSizes(oplog, settings),
        oplog.heads.estimatedDocumentCount(),
      ]),
    );
    return {
      server_time: isoTime(this.clock.now()),
      versions: { package: this.version, wire: WIRE_VERSION, node: process.version },
      health,
      change_stream: { alive: hub.alive, reopened: hub.reopened },
      trimming: {
        interval_ms: settings.trimIntervalMs,
        log_days: settings.oplogTtlDays,
        max_entries: settings.oplogMaxEntries ?? null,
        receipt_days: settings.receiptTtlDays,
        tombstone_days: settings.tombstoneTtlDays,
        lease: leaseOf(leases.get(TRIM_LEASE), this.trimming.leaseOwner, this.clock.now()),
      },
      capture: await this.captureState(leases.get(CAPTURE_LEASE)),
      register: { devices: this.register.remembered, left_out: this.register.leftOut },
      database: { name: oplog.db.databaseName, collections, missing, scopes },
    };
  }

  private async captureState(lease: LeaseRecord | undefined): Promise<AdminStatus['capture']> {
    const { capture } = this;
    if (capture.collectionNames.length === 0) return null;
    const upTo = await capture.recordedUpTo();
    return {
      collections: capture.collectionNames,
      lease: leaseOf(lease, capture.leaseOwner, this.clock.now()),
      recorded_up_to: upTo ? upTo.toISOString() : null,
      behind_ms: upTo ? Math.max(0, this.clock.now() - upTo.getTime()) : null,
    };
  }

  private async leases(): Promise<Map<string, LeaseRecord>> {
    const records = this.oplog.db.collection<LeaseRecord>(this.settings.leasesCollection);
    const found = await within(LIMIT_MS, (signal) =>
      records.find({ _id: { $in: [TRIM_LEASE, CAPTURE_LEASE] } }, { signal }).toArray(),
    );
    return new Map(found.map((lease) => [lease._id, lease]));
  }
}

function leaseOf(record: LeaseRecord | undefined, own: string, now: number): AdminLease | null {
  if (!record) return null;
  const held = record.owner !== undefined && record.expiresAt.getTime() > now;
  return { held, here: held && record.owner === own, expires_at: record.expiresAt.toISOString() };
}
