import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import mongoose, { type mongo } from 'mongoose';
import type { PushRequest, PushResult } from 'nest-offline-sync-protocol';
import { WallClock } from '../clock/wall-clock';
import { codeOf, errorKind, MONGO_CODES } from '../database/errors';
import { within } from '../database/waiting';
import type { SyncIdentity } from '../identity/identity';
import { OplogRepository } from '../log/oplog';
import type { RegisterSettings } from '../options/admin-options';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import { DeviceBatch, type DevicePosition, type DeviceWrite, type Way } from './device-batch';
import type { DeviceRecord, RefusedRecord } from './records';
import { Newest, refusedOf } from './refused-batch';

/** How often this process looks what is due. Milliseconds. */
const LOOK_EVERY_MS = 2_000;
const LIMIT_MS = 10_000;
const DAY_S = 86_400;
const BOUNDS = { devices: 50_000, scopes: 50, spacingMs: 60_000 };
/** In one command: the event loop has other work to do in between. */
const DEVICES_AT_ONCE = 500;
const REFUSED_AT_ONCE = 200;
/** Of a refused change, as characters of JSON: a longer one is not kept. */
const LONGEST_BODY = 64 << 10;

/** What a device says of itself with a request. */
export interface SelfDescription {
  readonly clientId?: string | undefined;
  readonly clientSchema?: string | undefined;
}

/**
 * Notes for operators what devices do, while SyncAdminModule is there: in memory, and from there to the database in the
 * background. No request waits for it or fails by it; what a process has noted and not written when it ends is lost.
 */
@Injectable()
export class Register implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('SyncModule');
  private readonly seen = new DeviceBatch(BOUNDS);
  private readonly refusals = new Newest<RefusedRecord>(REFUSED_AT_ONCE);
  private on: RegisterSettings | undefined;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();
  private failing = false;

  constructor(
    private readonly oplog: OplogRepository,
    private readonly clock: WallClock,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {}

  /** From now on devices are noted. Before the app has started. */
  turnOn(settings: RegisterSettings): void {
    this.on = settings;
  }

  async onApplicationBootstrap(): Promise<void> {
    if (!this.on) return;
    if (this.settings.autoIndex)
      await this.makeIndexes(this.on).catch((error: unknown) => this.complain(error));
    this.timer = setInterval(() => void this.flush(), LOOK_EVERY_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
  }

  /** Devices that this process remembers. */
  get remembered(): number {
    return this.seen.size;
  }

  /** How often a device, or a scope of one, found no room. */
  get leftOut(): number {
    return this.seen.dropped;
  }

  get devices(): mongo.Collection<DeviceRecord> {
    return this.collection<DeviceRecord>(this.on?.devicesCollection ?? 'sync_devices');
  }

  get refused(): mongo.Collection<RefusedRecord> {
    return this.collection<RefusedRecord>(this.on?.refusedCollection ?? 'sync_refused');
  }

  /** A device has done something. Returns at once. */
  saw(
    identity: SyncIdentity,
    way: Way,
    { clientId, clientSchema }: SelfDescription,
    position?: DevicePosition,
  ): void {
    if (!this.on) return;
    const { scopeId: scope, ownScopeId: ownScope = scope, actorId: actor } = identity;
    this.seen.note(
      { ownScope, actor, client: clientId ?? null, way, scope, clientSchema, position },
      this.clock.now(),
    );
  }

  /** A push was answered. Returns at once. */
  answered(identity: SyncIdentity, parsed: PushRequest, body: unknown, results: readonly PushResult[]): void {
    if (!this.on) return;
    const { changes } = body as { readonly changes: readonly unknown[] };
    const refused = refusedOf(parsed, changes, results, this.on.refusedBodies ? LONGEST_BODY : 0);
    const { scopeId: scope, ownScopeId: ownScope, actorId: actor } = identity;
    const { clientId: client, clientSchema } = parsed;
    const at = new Date(this.clock.now());
    this.refusals.add(
      refused.map(({ docId, ...rest }) => ({
        _id: new mongoose.mongo.ObjectId(),
        ...{ at, scope, actor, client, doc: docId, tries: 0, ...rest },
        ...(ownScope === undefined ? {} : { ownScope }),
        ...(clientSchema === undefined ? {} : { clientSchema }),
      })),
    );
  }

  /** Writes what is due. Never throws. */
  flush(): Promise<void> {
    const { on } = this;
    if (!on) return Promise.resolve();
    return (this.writing = this.writing.then(() => this.write(on)));
  }

  private async write(on: RegisterSettings): Promise<void> {
    try {
      const devices = this.seen.due(this.clock.now());
      const refused = this.refusals.take();
      for (let at = 0; at < devices.length; at += DEVICES_AT_ONCE) {
        const some = devices.slice(at, at + DEVICES_AT_ONCE).map(upsertOf);
        await within(LIMIT_MS, () => this.devices.bulkWrite(some, { ordered: false }));
      }
      if (refused.length > 0) {
        await within(LIMIT_MS, () => this.refused.insertMany([...refused], { ordered: false }));
        await within(LIMIT_MS, () => this.keepNewest(on.maxRefused));
      }
      this.failing = false;
    } catch (error) {
      this.complain(error);
    }
  }

  private async keepNewest(count: number): Promise<void> {
    const [oldest] = await this.refused
      .find({}, { sort: { _id: -1 }, skip: count, limit: 1, projection: { _id: 1 } })
      .toArray();
    if (oldest) await this.refused.deleteMany({ _id: { $lte: oldest._id } });
  }

  private async makeIndexes({ deviceDays, refusedDays }: RegisterSettings): Promise<void> {
    for (const [collection, days] of [
      [this.devices, deviceDays],
      [this.refused, refusedDays],
    ] as const)
      await this.expire(collection, days * DAY_S);
  }

  private async expire(collection: Expiring, expireAfterSeconds: number): Promise<void> {
    try {
      await within(LIMIT_MS, () => collection.createIndex({ at: 1 }, { expireAfterSeconds }));
    } catch (error) {
      if (codeOf(error) !== MONGO_CODES.IndexOptionsConflict) throw error;
      // The app has another opinion than the last time.
      const index = { keyPattern: { at: 1 }, expireAfterSeconds };
      await within(LIMIT_MS, () => this.oplog.db.command({ collMod: collection.collectionName, index }));
    }
  }

  /** Once, until it works again: it is best effort. */
  private complain(error: unknown): void {
    if (this.failing) return;
    this.failing = true;
    this.logger.warn(
      `What devices do could not be noted for operators: ${errorKind(error)}. It tries again.`,
    );
  }

  private collection<T extends mongo.Document>(name: string): mongo.Collection<T> {
    return this.oplog.db.collection<T>(name, { writeConcern: { w: 1 }, ignoreUndefined: true });
  }
}

type Expiring = Pick<mongo.Collection, 'createIndex' | 'collectionName'>;

function upsertOf(write: DeviceWrite): mongo.AnyBulkWriteOperation<DeviceRecord> {
  const { ownScope, actor, client, at, ways, clientSchema, scopes } = write;
  const set: Record<string, unknown> = clientSchema === undefined ? {} : { clientSchema };
  const max: Record<string, Date> = { at: new Date(at) };
  for (const [way, ms] of Object.entries(ways)) max[`${way}At`] = new Date(ms);
  for (const { scope, at: seenAt, position } of scopes) {
    const field = `scopes.${Buffer.from(scope).toString('base64url')}`;
    max[`${field}.at`] = new Date(seenAt);
    for (const [name, value] of Object.entries({ scope, ...position })) set[`${field}.${name}`] = value;
  }
  return {
    updateOne: {
      filter: { _id: { scope: ownScope, actor, client } },
      update: { $max: max, $set: set, $setOnInsert: { firstAt: new Date(at) } },
      upsert: true,
    },
  };
}
