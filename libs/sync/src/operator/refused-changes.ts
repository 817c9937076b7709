import { Injectable, Logger } from '@nestjs/common';
import mongoose, { type mongo } from 'mongoose';
import { SyncError, type PushResponse } from 'nest-offline-sync-protocol';
import { WallClock } from '../clock/wall-clock';
import { within } from '../database/waiting';
import type { SyncAdminSettings } from '../options/admin-options';
import { PushService } from '../push/push.service';
import type { RefusedRecord } from '../register/records';
import { Register } from '../register/register';
import type { AdminPage, AdminRefused } from './answers';
import { badCursor, cursorText, parsePageQuery } from './page-query';
import { pushOf, refusedRow } from './refused-row';

const LIMIT_MS = 15_000;
const ID = /^[0-9a-f]{24}$/;

/** Changes that were refused, the newest first, and what an operator can do about them. */
@Injectable()
export class RefusedChanges {
  private readonly logger = new Logger('SyncModule');

  constructor(
    private readonly register: Register,
    private readonly pushes: PushService,
    private readonly clock: WallClock,
  ) {}

  /** @throws SyncError `invalid_limit`, `invalid_cursor`, `malformed_request` */
  async list(query: unknown): Promise<AdminPage<AdminRefused>> {
    const { limit, after, scope } = parsePageQuery(query);
    const filter: mongo.Filter<RefusedRecord> = {
      ...(after === undefined ? {} : { _id: { $lt: idOf(after) } }),
      ...(scope === undefined ? {} : { scope }),
    };
    const found = await within(LIMIT_MS, (signal) =>
      this.register.refused
        .find(filter, { sort: { _id: -1 }, limit: limit + 1, maxTimeMS: LIMIT_MS, signal })
        .toArray(),
    );
    const records = found.slice(0, limit);
    const last = records.at(-1);
    return {
      rows: records.map(refusedRow),
      next: found.length > limit && last ? cursorText([last._id.toHexString()]) : null,
    };
  }

  /**
   * Pushes a refused change again, in the scope and as the actor that it came from: the app's rules are asked again, and what
   * they say counts. A second call for a change that was taken gets the first answer again.
   *
   * @returns what the push answers
   * @throws SyncError `malformed_request`, `not_found`, `body_not_kept`, and as PushService.push
   */
  async applyAgain(id: string, { applyAs }: Pick<SyncAdminSettings, 'applyAs'>): Promise<PushResponse> {
    const record = await this.find(id);
    if (record.body === undefined)
      throw new SyncError(
        'body_not_kept',
        'What was sent is not kept, so it cannot be applied again. refusedBodies: true of SyncAdminModule keeps what is refused from then on, up to 64 KiB each.',
        { path: 'id' },
      );
    const { actor: actorId, ownScope: scopeId = record.scope } = record;
    const user = await applyAs?.({ scopeId, actorId });
    const body = pushOf(record, record.body);
    const answer = await this.pushes.push({ scopeId, actorId, user }, body, false);
    const [result] = answer.results;
    if (result) await this.keep(record, result);
    this.logger.log({ message: 'An operator applied a refused change again', id, status: result?.status });
    return answer;
  }

  private async find(id: string): Promise<RefusedRecord> {
    if (!ID.test(id))
      throw new SyncError('malformed_request', 'id must be that of a row of GET refused: 24 hex digits.', {
        path: 'id',
      });
    const found = await within(LIMIT_MS, (signal) =>
      this.register.refused.findOne({ _id: new mongoose.mongo.ObjectId(id) }, { signal }),
    );
    if (found) return found;
    throw new SyncError(
      'not_found',
      'This refused change is not kept (any more). GET refused lists those that are.',
      {
        path: 'id',
      },
    );
  }

  /** A refusal ends this try: the next one is another mutation. A second call that ends later changes nothing. */
  private async keep(
    { _id, tries }: RefusedRecord,
    { status, code }: PushResponse['results'][number],
  ): Promise<void> {
    const again = { at: new Date(this.clock.now()), status, code };
    const next = status === 'rejected' ? tries + 1 : tries;
    await within(LIMIT_MS, () =>
      this.register.refused.updateOne({ _id, tries }, { $set: { again, tries: next } }),
    );
  }
}

function idOf(after: readonly unknown[]): mongo.ObjectId {
  const [id] = after;
  if (after.length !== 1 || typeof id !== 'string' || !ID.test(id)) throw badCursor();
  return new mongoose.mongo.ObjectId(id);
}
