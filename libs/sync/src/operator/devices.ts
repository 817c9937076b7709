import { Inject, Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { WallClock } from '../clock/wall-clock';
import { within } from '../database/waiting';
import type { HeadRecord } from '../log/records';
import { OplogRepository } from '../log/oplog';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import type { DeviceRecord } from '../register/records';
import { Register } from '../register/register';
import type { AdminDevice, AdminPage } from './answers';
import { deviceRow, scopesOf } from './device-row';
import { badCursor, cursorText, parsePageQuery } from './page-query';

const LIMIT_MS = 15_000;

/** The devices that were noticed, those first that were seen last. */
@Injectable()
export class Devices {
  constructor(
    private readonly register: Register,
    private readonly oplog: OplogRepository,
    private readonly clock: WallClock,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {}

  /** @throws SyncError `invalid_limit`, `invalid_cursor`, `malformed_request` */
  async list(query: unknown): Promise<AdminPage<AdminDevice>> {
    const { limit, after, scope } = parsePageQuery(query);
    const filter: mongo.Filter<DeviceRecord> = {
      ...(after === undefined ? {} : below(after)),
      ...(scope === undefined
        ? {}
        : { [`scopes.${Buffer.from(scope).toString('base64url')}`]: { $exists: true } }),
    };
    const found = await within(LIMIT_MS, (signal) =>
      this.register.devices
        .find(filter, { sort: { at: -1, _id: -1 }, limit: limit + 1, maxTimeMS: LIMIT_MS, signal })
        .toArray(),
    );
    const records = found.slice(0, limit);
    const scopes = new Set(records.flatMap((record) => scopesOf(record).map((of) => of.scope)));
    const { heads } =
      scopes.size === 0 ? { heads: new Map<string, HeadRecord>() } : await this.oplog.readHeads([...scopes]);
    const measures = { heads, now: this.clock.now(), logDays: this.settings.oplogTtlDays };
    const last = records.at(-1);
    return {
      rows: records.map((record) => deviceRow(record, measures)),
      next: found.length > limit && last ? cursorOf(last) : null,
    };
  }
}

function cursorOf({ at, _id }: DeviceRecord): string {
  return cursorText([at.getTime(), JSON.stringify(_id)]);
}

function below(after: readonly unknown[]): mongo.Filter<DeviceRecord> {
  const [ms, id] = after;
  if (after.length !== 2 || !Number.isSafeInteger(ms) || typeof id !== 'string') throw badCursor();
  const at = new Date(Number(ms));
  const key = keyOf(id);
  if (Number.isNaN(at.getTime())) throw badCursor();
  return { $or: [{ at: { $lt: at } }, { at, _id: { $lt: key } }] };
}

/** Rebuilt from its three texts: nothing else of a cursor gets into a query. */
function keyOf(text: string): DeviceRecord['_id'] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw badCursor();
  }
  const { scope, actor, client } = (parsed ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof scope !== 'string' || typeof actor !== 'string') throw badCursor();
  if (typeof client !== 'string' && client !== null) throw badCursor();
  return { scope, actor, client };
}
